"""``python -m mpm3d`` is the command line, whether or not its folder is on the path."""

from mpm3d.cli import app

app()
