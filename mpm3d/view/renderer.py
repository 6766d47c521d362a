"""Whether this machine can draw, asked in another process, because VTK without a renderer ends its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import cache
from typing import NamedTuple

_PROBE = """
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkRenderWindow, vtkRenderer
window = vtkRenderWindow()
window.OffScreenRenderingOn()
window.SetSize(8, 8)
renderer = vtkRenderer()
renderer.SetBackground(1.0, 0.0, 0.0)
window.AddRenderer(renderer)
window.Render()
pixels = vtkUnsignedCharArray()
window.GetPixelData(0, 0, 7, 7, 0, pixels, 0)
if pixels.GetNumberOfValues() == 0 or pixels.GetValue(0) < 200:
    raise SystemExit("a red picture came back blank")
print("window", type(window).__name__)
"""
_TIMEOUT = 120.0
_PACKAGES = (
    "On Debian or Ubuntu: apt-get install libegl1 libgl1-mesa-dri (or libosmesa6 libx11-6). "
    "Elsewhere: install the graphics driver or Mesa."
)


class _Answer(NamedTuple):
    problem: str | None
    window: str


def _command() -> list[str]:
    return [sys.executable, "-c", _PROBE]


@cache
def _ask(display: str | None) -> _Answer:
    """Draw a small picture in another process; asked once for each ``DISPLAY`` of this one."""
    try:
        done = subprocess.run(
            _command(), capture_output=True, text=True, errors="replace", timeout=_TIMEOUT, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        return _Answer(f"a small test picture was not finished after {error.timeout:g} s", "")
    except OSError as error:
        return _Answer(f"the test picture could not be started ({error})", "")
    for line in done.stdout.splitlines():
        if done.returncode == 0 and line.startswith("window "):
            return _Answer(None, line.removeprefix("window ").strip())
    return _Answer(_why(done.returncode, done.stderr), "")


def _why(code: int, stderr: str) -> str:
    if code < 0 or code >= 0xC0000000:  # ended by a signal; on Windows by an exception's status
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"status {code:#x}"
        return f"there is neither a display nor a working EGL or OSMesa (a test picture ended with {name})"
    lines = [line for line in stderr.splitlines() if line.strip()]
    return f"a test picture failed: {lines[-1].strip() if lines else f'exit status {code}'}"


def can_render() -> str | None:
    """Say why pictures cannot be drawn here.

    VTK ends the process with a segmentation fault where it finds no way to draw, so a small picture is drawn
    in another process, once.

    Returns
    -------
    str or None
        None if pictures can be drawn, else one or two sentences: what is missing and what to install.
    """
    problem = _ask(os.environ.get("DISPLAY")).problem
    return None if problem is None else f"Pictures cannot be drawn here: {problem}. {_PACKAGES}"


def can_show() -> str | None:
    """Say why no window can be opened here.

    Returns
    -------
    str or None
        None if a window can be opened, else what is missing and what to do instead.
    """
    problem = can_render()
    if problem is not None:
        return problem
    window = _ask(os.environ.get("DISPLAY")).window
    if any(system in window for system in ("XOpenGL", "Win32", "Cocoa", "Wayland")):
        return None
    display = os.environ.get("DISPLAY")
    missing = (
        f"the display {display!r} does not answer" if display else "there is no display (DISPLAY is not set)"
    )
    return (
        f"A window cannot be opened here: {missing}. Log in with a desktop, or with ssh -X, "
        "or look at the picture, which is drawn without a display."
    )


def require_renderer() -> None:
    """Raise RuntimeError with the sentence of `can_render` where nothing can be drawn."""
    problem = can_render()
    if problem is not None:
        raise RuntimeError(problem)
    from vtkmodules.vtkCommonCore import vtkLogger

    # Off screen, VTK warns of a missing X server at every picture, before it takes EGL
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_ERROR)


def require_display() -> None:
    """Raise RuntimeError with the sentence of `can_show` where no window can be opened."""
    problem = can_show()
    if problem is not None:
        raise RuntimeError(problem)
