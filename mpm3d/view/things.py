"""What of a scene can be switched on and off, by key."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from mpm3d.view.scene import Item, Scene, SceneTarget, style_of

SCORE, SLICES, TARGET, MARK = "score", "slices", "target", "mark"


class Thing(NamedTuple):
    """Something that can be switched on and off.

    Parameters
    ----------
    key : str
        ``"score"``, ``"slices"``, ``"target"`` (boxes and names of the targets), a role, or one object
        of it: ``"slices/density"``, ``"fault/F3"``.
    label : str
        Its name for a reader.
    role : str
        The part of the key before the stroke.
    colour : str
        ``#rrggbb``.
    visible : bool
        Whether it is drawn at first.
    opacity : float
        From 0 to 1, at first.
    """

    key: str
    label: str
    role: str
    colour: str
    visible: bool = True
    opacity: float = 1.0


def things_of(scene: Scene) -> tuple[Thing, ...]:
    """What of a scene can be switched; an object of its own where a role has several."""
    made = [Thing(SCORE, scene.score_name, SCORE, "#E31A1C", True, 1.0 if scene.flat else 0.75)]
    made.append(Thing(SLICES, slices_label(scene), SLICES, "#4A6A8A"))
    names = (scene.score_name, *scene.evidence)
    made += [Thing(f"{SLICES}/{name}", name, SLICES, "#4A6A8A") for name in names]
    if scene.targets and TARGET not in scene.roles:
        style = style_of(TARGET)
        made.append(Thing(TARGET, f"{style.label} ({len(boxed(scene))})", TARGET, style.colour))
    items = keyed(scene)
    for entry in scene.legend:
        made.append(Thing(entry.role, entry.label, entry.role, entry.colour, entry.visible, entry.opacity))
        for key, item in items.items():
            if key.startswith(f"{entry.role}/"):
                shown = item.visible or not entry.visible
                made.append(Thing(key, item.name, item.role, item.colour, shown, item.opacity))
    return tuple(made)


def slices_label(scene: Scene) -> str:
    """What the layers beside the cells are called: on a map there is one, and it lies below."""
    return "Map below" if scene.flat else "Slices"


def boxed(scene: Scene) -> tuple[SceneTarget, ...]:
    """Targets that get a box of their own: all but zones, whose boxes would hold those of their parts."""
    return tuple(target for target in scene.targets if target.kind != "zone") or scene.targets


def keyed(scene: Scene) -> dict[str, Item]:
    """Objects of a scene by key: the role where it has one object, else the role and the name."""
    found: dict[str, Item] = {}
    for item in scene.items:
        alone = sum(other.role == item.role for other in scene.items) == 1
        key = item.role if alone else f"{item.role}/{item.name}"
        number = 2
        while key in found:
            key, number = f"{item.role}/{item.name} ({number})", number + 1
        found[key] = item
    return found


def completed(beside: Scene, scene: Scene) -> Scene:
    """A model beside another with the surroundings of that one, where it has none of its own."""
    return replace(
        beside, items=beside.items or scene.items, cells=beside.cells or scene.cells,
        evidence=beside.evidence or scene.evidence, targets=beside.targets or scene.targets,
        units_of={**scene.units_of, **beside.units_of},
    )  # fmt: skip
