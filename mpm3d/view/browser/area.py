"""The drawing area as the browser sees it: pictures go out, mouse and fingers come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpm3d.view.session import Session

_STILL = 4  # pixels that the mouse may move between press and release for a click
_LEAST = 150  # pixels; a page that is being laid out asks for next to nothing
_TAPS = frozenset({"Tap", "LongTap"})  # a finger's press and release come too, and VTK knows no taps
_PHONE = 500  # pixels; a narrower drawing has less room for labels
_ENDS = frozenset(
    {"LeftButtonRelease", "MiddleButtonRelease", "RightButtonRelease", "EndMouseWheel", "EndPinch", "EndPan"}
)


class Area:
    """What trame-rca draws and steers: the drawing area of a session.

    Parameters
    ----------
    session : Session
        What is on the area.
    clicked : function of x and y
        Called for a click that was not a turn, with pixels from the upper left corner.

    Attributes
    ----------
    view : str or None
        The standard view that is kept when the area changes its size; None once the viewer has moved.
    """

    def __init__(self, session: Session, clicked: Callable[[float, float], None]) -> None:
        from trame_rca.rca import VtkRemoteControlledArea

        self._session = session
        self.view: str | None = session.scene.first_view
        self._window = VtkRemoteControlledArea(session.plotter.render_window)
        self._clicked = clicked
        self._pressed: tuple[float, float] | None = None

    @property
    def img_cols_rows(self) -> tuple[Any, int, int]:
        """The picture now, ``(rows, columns, 3)``, and its numbers of columns and rows."""
        picture: tuple[Any, int, int] = self._window.img_cols_rows
        return picture

    def process_resize_event(self, width: int, height: int) -> None:
        """Draw on an area of other size, in pixels; one too small for any label is not drawn on."""
        if min(width, height) < _LEAST:
            return
        plotter = self._session.plotter
        before = min(plotter.window_size)
        now = self._session.camera().metres_per_pixel * before / min(width, height)
        plotter.window_size = [width, height]
        self._session.room = room_for(width, len(self._session.panes))
        if self.view is not None:
            self._session.look(self.view)
            return
        plotter.camera.parallel_scale = now * height / 2
        self._session.settle()

    def process_interaction_event(self, event: dict[str, Any]) -> None:
        """Turn, shift or zoom; tell of a click."""
        kind = event["type"]
        if kind in _TAPS:
            return
        self._window.process_interaction_event(event)
        if kind == "LeftButtonPress":
            self._pressed = event["x"], event["y"]
        if kind not in _ENDS:
            return
        pressed, self._pressed = self._pressed, None
        if pressed is not None and _near(pressed, event):
            self._clicked(pressed[0], self._session.plotter.window_size[1] - 1 - pressed[1])
        else:
            self.view = None
            self._session.settle()


def room_for(width: int, models: int = 1) -> tuple[float, float, float, float]:
    """Pixels for the labels of the axes at the left, right, bottom and top of a drawing of some width.

    Two models have room of their own for labels, and what is kept free here would be lost to both.
    """
    if models > 1:
        return 0.0, 0.0, 0.0, 0.0
    return (86.0, 45.0, 60.0, 26.0) if width < _PHONE else (95.0, 50.0, 60.0, 26.0)


def _near(pressed: tuple[float, float], event: dict[str, Any]) -> bool:
    return bool(max(abs(event["x"] - pressed[0]), abs(event["y"] - pressed[1])) <= _STILL)
