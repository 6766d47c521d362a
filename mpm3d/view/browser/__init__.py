"""A scene in a web browser: a local server that draws and sends pictures."""

from __future__ import annotations

from mpm3d.view.browser.server import serve

__all__ = ["serve"]
