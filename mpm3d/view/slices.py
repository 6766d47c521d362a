"""How slices are coloured, and the layer below the cells of a map, which takes their place there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mpm3d.view.things import slices_label

if TYPE_CHECKING:
    from mpm3d.view.session import Session


class LayerScale(NamedTuple):
    """The colour scale of the slices: what they show, its unit, colours and the values at their ends."""

    label: str
    name: str
    unit: str
    colours: Any
    span: tuple[float, float]

    @property
    def title(self) -> str:
        """What is shown, with its unit."""
        return f"{self.label}: {self.name}" + (f" ({self.unit})" if self.unit else "")


def scale_of(session: Session) -> LayerScale | None:
    """Colour scale of the slices, None where none is drawn or they have the colours of the cells."""
    scene, layer = session.scene, session.layer
    is_score = layer == scene.score_name
    if all(index is None for index in session.slices.values()) or (is_score and not scene.flat):
        return None
    unit = scene.units if is_score else scene.units_of.get(layer, "")
    colours = session.panes[0].slice_map(layer)
    return LayerScale(slices_label(scene), layer, unit, colours, session.layer_range())
