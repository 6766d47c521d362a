"""The picture of files: meshes, colours, what is cut off, and the page itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpm3d.geometry import Body, Lines, Points, Surface, Tetrahedra
from mpm3d.lattice import BlockModel, Frame, Lazy, PropertyModel, Raster, StructuredGrid, Voxet
from mpm3d.view import drawing, shapes
from mpm3d.view.crop import cropped, without_padding, without_twins
from mpm3d.view.scales import make_scale, scales_for
from mpm3d.view.shapes import shape_of
from mpm3d.view.sheet import short
from mpm3d.view.sketch import draw
from mpm3d.wells import Curve, Intervals, Well

HERE = np.array([500_000.0, 7_000_000.0, 300.0])
NOWHERE = np.zeros(3)


def voxet(shape: tuple[int, int, int] = (4, 5, 6), **more: object) -> Voxet:
    """Turned 30 degrees, W down, the upper half of the first layer missing."""
    c, s = np.sqrt(3) / 2, 0.5
    steps = np.array([[25 * c, 25 * s, 0], [-25 * s, 25 * c, 0], [0, 0, -20]])
    values = np.arange(float(np.prod(shape))).reshape(shape)
    values[0, : shape[1] // 2] = np.nan
    options = {"values": {"density": values}, "units": {"density": "g/cm3"}, "kind": "Voxet", **more}
    return Voxet("model", HERE, steps, shape, **options)  # type: ignore[arg-type]


def surface(name: str = "fault", size: float = 100.0) -> Surface:
    corners = HERE + size * np.array([[0, 0, 0], [1, 0, -0.5], [1, 1, -1], [0, 1, 0.0]])
    return Surface(name, corners, np.array([[0, 1, 2], [0, 2, 3]]), kind="TSurf")


def well(**more: object) -> Well:
    depth = np.array([0.0, 50, 120])
    path = HERE + np.column_stack([0 * depth, 0 * depth, -depth])
    return Well("W1", path[0], depth, path, kind="Well", **more)  # type: ignore[arg-type]


def test_a_voxet_is_drawn_where_it_lies_without_missing_cells() -> None:
    body = voxet()
    shape = shape_of(body, HERE)
    assert (shape.name, shape.solid, shape.thinned) == ("density", True, "")
    assert shape.mesh.n_cells == 4 * 5 * 6 - 2 * 6
    assert shape.values is not None
    assert shape.values.max() == 119
    low, high = np.reshape(shape.mesh.bounds, (3, 2)).T
    np.testing.assert_allclose([*(low + HERE), *(high + HERE)], body.bounds, atol=0.1)
    # the cell with the largest value lies around the last sample
    last = HERE + np.array([5, 4, 3]) @ body.steps
    centre = shape.mesh.cell_centers().points[np.argmax(shape.mesh.cell_data["value"])]
    np.testing.assert_allclose(centre + HERE, last, atol=0.1)


@pytest.mark.parametrize("lazy", [False, True])
def test_large_lattices_are_thinned_and_that_is_said(monkeypatch: pytest.MonkeyPatch, lazy: bool) -> None:
    monkeypatch.setattr(shapes, "MOST_CELLS", 100)
    body = voxet((9, 11, 13))
    if lazy:
        body = replace(body, values={"density": Lazy(body.values["density"])})
    shape = shape_of(body, HERE)
    assert shape.mesh.n_cells <= 100
    assert shape.thinned == "'model': every 3 × 3 × 2 cells drawn as one (along the axes of its file)"
    low, high = np.reshape(shape.mesh.bounds, (3, 2)).T
    np.testing.assert_allclose([low[2] + HERE[2], high[2] + HERE[2]], [body.bounds[2], body.bounds[5]])


def test_every_kind_of_body_has_a_mesh() -> None:
    z, y, x = np.array([-30.0, -10, 0]), np.array([0.0, 1, 3]), np.array([0.0, 10, 20])
    tensor = PropertyModel(
        "t", (z, y, x), {"v": np.arange(8.0).reshape(2, 2, 2)}, frame=Frame.rotated(HERE, 20)
    )
    w, v, u = np.meshgrid([0.0, -10], [0, 20, 40], [0, 5, 10, 15], indexing="ij")
    grid = StructuredGrid(
        "g", np.stack([u, v, w], axis=-1), {"p": np.ones((2, 3, 4)), "c": np.ones((1, 2, 3))}
    )
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    solid = Tetrahedra("s", corners, np.array([[0, 1, 2, 3]]), properties={"v": np.arange(4.0)})
    blocks = BlockModel("b", corners, np.full((4, 3), 0.5), {"au": np.array([1, 2, np.nan, 4])})
    found = [shape_of(body, NOWHERE) for body in (tensor, grid, solid, blocks)]
    assert [(s.mesh.n_cells, s.solid, s.name) for s in found] == [
        (8, True, "v"), (6, True, "c"), (1, True, "v"), (3, True, "au"),
    ]  # fmt: skip
    np.testing.assert_allclose(found[2].mesh.cell_data["value"], [1.5])
    lines = Lines("l", corners, np.array([[0, 1], [2, 3]]), properties={"d": np.arange(4.0)})
    found = [shape_of(body, NOWHERE) for body in (surface(), lines, Points("p", corners), well())]
    assert [(s.mesh.n_cells, s.solid) for s in found] == [(2, False), (2, False), (4, False), (2, False)]
    with pytest.raises(ValueError, match="Body 'x' cannot be drawn in three dimensions"):
        shape_of(Body("x"), NOWHERE)


def test_bodies_with_nothing_in_them_have_empty_meshes() -> None:
    none = np.zeros((0, 3))
    empty = [
        Surface("s", none, np.zeros((0, 3), np.int64)),
        Lines("l", none, np.zeros((0, 2), np.int64)),
        Points("p", none),
        Tetrahedra("t", none, np.zeros((0, 4), np.int64)),
        BlockModel("b", none, none, {}),
    ]
    assert [shape_of(body, NOWHERE).mesh.n_points for body in empty] == [0] * 5
    gone = voxet(values={"v": np.full((4, 5, 6), np.nan)})
    assert (shape_of(gone, HERE).name, shape_of(gone, HERE).mesh.n_cells) == ("", 120)


def test_large_surfaces_lines_and_points_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "MOST_TRIANGLES", 1000)
    monkeypatch.setattr(shapes, "MOST_POINTS", 100)
    n = 400
    x, y = np.meshgrid(np.arange(n) * 1.0, np.arange(n) * 1.0)
    corner = np.arange(n * n).reshape(n, n)
    triangles = np.stack([corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:]], axis=-1).reshape(-1, 3)
    vertices = np.column_stack([x.ravel(), y.ravel(), 0 * x.ravel()])
    shape = shape_of(Surface("ground", vertices, triangles), NOWHERE)
    assert 0 < shape.mesh.n_cells < len(triangles)
    assert shape.thinned.startswith(f"'ground': {shape.mesh.n_cells:,} of 159,201 triangles drawn")
    assert np.asarray(shape.mesh.bounds).max() > 390
    points = shape_of(Points("p", vertices), NOWHERE)
    assert (points.mesh.n_points, points.thinned) == (100, "'p': 100 of 160,000 points drawn")
    rows = np.arange(3000)
    lines = shape_of(Lines("l", vertices, np.column_stack([rows, rows + 1])), NOWHERE)
    assert (lines.mesh.n_cells, lines.thinned) == (1000, "'l': 1,000 of 3,000 segments drawn")


def test_a_well_shows_its_assays_or_its_log() -> None:
    table = Intervals(
        np.array([0.0, 20]), np.array([20.0, 90]), {"rock": np.array(["a", "b"]), "Au": np.array([1.0, 5])}
    )
    shape = shape_of(well(intervals={"assay": table}, units={"Au": "g/t"}), HERE)
    assert (shape.name, shape.mesh.n_cells, shape.body.units) == ("Au", 2, {"Au": "g/t"})
    assert isinstance(shape.body, Well)
    np.testing.assert_allclose(shape.mesh.bounds[4:], (-90, 0))
    log = shape_of(well(curves={"GR": Curve(np.array([10.0, 20, 30, 999]), np.arange(4.0))}), HERE)
    assert (log.name, log.mesh.n_cells) == ("GR", 2)


def test_blocks_beyond_what_can_be_drawn_become_a_lattice_or_are_thinned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shapes, "MOST_CELLS", 50)
    k, j, i = (index.ravel() for index in np.indices((5, 5, 5)))
    centres = np.column_stack([i, j, k]) * 10.0
    blocks = BlockModel("b", centres, np.full((125, 3), 10.0), {"au": np.arange(125.0)})
    shape = shape_of(blocks, NOWHERE)
    assert shape.body is blocks
    assert "cells drawn as one" in shape.thinned
    sizes = np.full((125, 3), 10.0)
    sizes[0] = 5
    assert shape_of(replace(blocks, sizes=sizes), NOWHERE).thinned == "'b': 42 of 125 cells drawn"


def test_padding_is_cut_off_where_it_is_most_of_a_mesh() -> None:
    wide = [10.0, 30, 100, 300, 1000]
    widths = np.array([*wide[::-1], *[10.0] * 20, *wide])
    line = np.concatenate([[0.0], np.cumsum(widths)])
    deep = -np.cumsum([0.0, *[5.0] * 20, 50, 500, 5000])[::-1]
    values = np.random.default_rng(0).random((23, 30, 30))
    model = PropertyModel("mt", (deep, line, line), {"rho": values})
    core, said = cropped(model)
    assert said == "'mt': padding cells left out"
    # cells up to four times the smallest: 10 and 30 m on either side of the twenty
    assert core.shape[1:] == (24, 24)
    assert core.bounds[0] == 1400
    assert core.bounds[5] - core.bounds[2] <= 280
    np.testing.assert_array_equal(core.values["rho"], values[-core.shape[0] :, 3:27, 3:27])
    plain = PropertyModel("t", (np.arange(4.0), np.arange(4.0), np.arange(4.0)), {})
    assert without_padding(plain) is plain
    # a section of one cell across is deeper than that cell is wide, and so is a shaft of equal cells
    section = PropertyModel("s", (np.arange(0, 99.0, 5), np.array([-5, 5.0]), np.arange(0, 500.0, 10)), {})
    assert without_padding(section) is section
    shaft = PropertyModel("s", (np.arange(0, 999.0, 5), np.arange(0, 30.0, 10), np.arange(0, 30.0, 10)), {})
    assert without_padding(shaft) is shaft


def test_models_without_any_value_are_said_to_have_none() -> None:
    empty = PropertyModel(
        "e", (np.arange(4.0), np.arange(4.0), np.arange(4.0)), {"v": np.full((3, 3, 3), np.nan)}
    )
    assert drawing.arrange([empty]).notes == ("'e': no cell has a value of 'v'",)


def test_vertices_of_no_data_and_models_in_one_place_are_left_out() -> None:
    broken = surface()
    heights = broken.vertices.copy()
    heights[3, 2] = -99999
    drawn, said = cropped(replace(broken, vertices=heights))
    assert (len(drawn.triangles), said) == (1, "'fault': 1 vertices that look like no data left out")
    mesh, first, second = voxet(values={}), voxet(), voxet()
    assert without_twins([mesh, first, surface(), second])[0][0] is first
    assert without_twins([mesh, first, second])[1] == 1
    picture = drawing.arrange([mesh, first, second])
    assert len(picture.shapes) == 1
    assert picture.notes == ("1 more models in the same places not drawn",)


def test_models_alone_are_cut_open_and_sliced_among_others() -> None:
    alone = drawing.arrange([voxet((6, 10, 10))])
    ((_, opened),) = drawing.pieces_for_view(alone)
    whole = drawing.pieces_of_map(alone, solid=True)[0][1]

    # the quarter towards the viewer is gone, so the highest and most south-eastern point too
    def reach(mesh: object) -> float:
        return float(np.max(np.asarray(mesh.points) @ [1, -1, 1]))  # type: ignore[attr-defined]

    assert reach(opened) < reach(whole) - 20
    several = drawing.arrange([voxet((6, 10, 10)), surface()])
    pieces = drawing.pieces_for_view(several)
    assert [place for place, _ in pieces] == [0, 0, 0, 0, 1]
    assert np.ptp(pieces[0][1].points[:, 0]) == pytest.approx(0, abs=1e-3)


def test_sections_cut_surfaces_and_show_lines_whole() -> None:
    lines = Lines("l", HERE + np.array([[0, 0, 0], [0, 100, 0.0]]), np.array([[0, 1]]))
    picture = drawing.arrange([surface(), lines])
    (_, trace), (_, whole) = drawing.pieces_of_section(picture, "y")
    assert trace.n_points > 0
    assert np.ptp(trace.points[:, 1]) < 0.01
    assert whole.n_cells == 1


def test_flat_bodies_are_stretched_and_flat_ends_get_room() -> None:
    ground = Surface(
        "g", HERE + np.array([[0, 0, 0], [9000, 0, 50], [0, 9000, 100.0]]), np.array([[0, 1, 2]])
    )
    assert drawing.arrange([ground]).exaggeration == 10
    assert drawing.arrange([voxet()]).exaggeration == 1
    point = drawing.arrange([Points("p", HERE[None])])
    assert np.all(np.diff(point.bounds, axis=0) > 0)


def test_rasters_alone_make_a_map() -> None:
    raster = Raster("dem", np.arange(3.0), np.arange(4.0), {"dem": np.ones((3, 4))})
    picture = drawing.arrange([raster])
    assert picture.flat
    assert picture.scales[0] is not None
    with pytest.raises(ValueError, match="there is nothing to draw: no object with coordinates was read"):
        drawing.arrange([])


def test_what_lies_nowhere_on_earth_is_not_drawn() -> None:
    far = Points("far", np.array([[1e300, 0, 0]]))
    assert [s.body.name for s in drawing.arrange([far, surface()]).shapes] == ["fault"]
    with pytest.raises(ValueError, match="there is nothing to draw"):
        drawing.arrange([far, Points("none", np.zeros((0, 3)))])


def test_a_ground_that_hides_everything_is_sheer() -> None:
    picture = drawing.arrange([surface("ground", 1000), surface("small", 10)])
    assert (picture.covers(0), picture.covers(1)) == (True, False)
    assert not drawing.arrange([surface("ground", 1000)]).covers(0)


def test_scales_fit_their_values() -> None:
    values = np.linspace(2.0, 3.0, 1000)
    plain = make_scale("d", values, "viridis")
    assert (plain.norm.vmin, plain.norm.vmax, plain.extend) == (2, 3, "neither")
    spiked = make_scale("d", np.append(values, 1e6), "viridis")
    assert spiked.extend == "both"
    assert spiked.norm.vmax < 3.1
    decades = make_scale("rho", np.logspace(0, 5, 1000), "viridis")
    assert type(decades.norm).__name__ == "LogNorm"
    np.testing.assert_array_equal(decades.rgb(np.array([1.0]))[0], plain.rgb(np.array([2.0]))[0])
    constant = make_scale("c", np.full(9, 5.0), "viridis")
    assert constant.norm.vmin < 5 < constant.norm.vmax
    assert constant.labels == {5.0: "c: 5"}  # in the legend; a bar of one colour has no ends to show
    np.testing.assert_array_equal(plain.rgb(np.array([np.nan])), [[217, 217, 217]])


def test_codes_have_a_colour_and_a_name_each() -> None:
    scale = make_scale("rock", np.array([0.0, 3, 7]), "viridis", {0: "Air", 3: "Schist", 7: "Ore"})
    assert scale.labels is not None
    assert list(scale.labels.values()) == ["Air", "Schist", "Ore"]
    colours = scale.rgb(np.array([0.0, 3, 7]))
    assert len(np.unique(colours, axis=0)) == 3
    np.testing.assert_array_equal(scale.rgb(np.array(list(scale.labels))), colours)


def test_properties_of_one_name_share_a_scale_and_only_four_have_one() -> None:
    ones = np.ones(3)
    wanted = [(title, ones, None) for title in "aabcdef"] + [("", np.empty(0), None)]
    found = scales_for(wanted)
    assert found[0] is found[1]
    assert [scale is None for scale in found] == [False] * 5 + [True] * 3


def test_long_names_lose_their_middle() -> None:
    assert short("fault", 10) == "fault"
    assert len(short("a" * 50, 20)) == 20


def colours_in(path: Path, box: tuple[float, float, float, float]) -> int:
    """Number of different colours in a part of a picture, from its upper left, in shares of it."""
    from matplotlib.image import imread

    image = imread(path)[..., :3]
    height, width = image.shape[:2]
    left, top, right, bottom = box
    part = image[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    return len(np.unique((part * 255).astype(int).reshape(-1, 3), axis=0))


@pytest.mark.render
@pytest.mark.parametrize(
    "bodies",
    [
        [voxet((6, 10, 10))],
        [
            surface(),
            voxet(),
            well(),
            Points("p", HERE[None]),
            Raster(
                "dem",
                HERE[1] + np.arange(3) * 50.0,
                HERE[0] + np.arange(4) * 50.0,
                {"dem": np.arange(12.0).reshape(3, 4)},
                frame=Frame.rotated((500, 0, 0), 0),
            ),
        ],
    ],
    ids=["alone", "several"],
)
def test_all_panels_of_the_page_are_filled(tmp_path: Path, render: None, bodies: list[Body]) -> None:
    path = draw(bodies, tmp_path / "new" / "page.png", size=(1100, 800))
    for panel in (
        (0.05, 0.1, 0.55, 0.75),
        (0.67, 0.1, 0.97, 0.42),
        (0.67, 0.53, 0.97, 0.65),
        (0.67, 0.75, 0.97, 0.87),
    ):
        assert colours_in(path, panel) > 20
    assert not list(path.parent.glob(".*")), "nothing unfinished is left"


def test_a_map_needs_no_renderer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("Pictures cannot be drawn here")

    monkeypatch.setattr("mpm3d.view.sketch.require_renderer", fail)
    values = np.arange(2000.0 * 10).reshape(10, 2000)
    values[0] = np.nan
    raster = Raster("dem", np.arange(10.0), np.arange(2000.0), {"dem": values}, units={"dem": "m"})
    path = draw(
        [raster, replace(raster, frame=Frame.rotated((0, 0, 0), 30))], tmp_path / "map.png", size=(1100, 800)
    )
    assert colours_in(path, (0.1, 0.1, 0.9, 0.75)) > 100
    with pytest.raises(RuntimeError, match="Pictures cannot be drawn here"):
        draw([surface()], tmp_path / "scene.png")
    with pytest.raises(ValueError, match=r"'map.jpg' is not a PNG file, pictures are. Use 'map.png'"):
        draw([raster], tmp_path / "map.jpg")
