"""Bodies as plain numbers and sentences."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mpm3d import tally
from mpm3d.describe import describe
from mpm3d.geometry import Body, Lines, Points, Surface, Tetrahedra
from mpm3d.lattice import BlockModel, Frame, Lazy, PropertyModel, Raster, StructuredGrid, Voxet
from mpm3d.values import Statistics
from mpm3d.wells import Curve, Intervals, Well

KEYS = [
    "type", "name", "n_vertices", "n_cells", "n_parts", "bounds", "shape", "first_centre", "crs_name",
    "z_positive", "properties", "notes",
]  # fmt: skip
CORNERS = np.array([[0, 0, 0], [10, 0, 0], [10, 20, 5], [0, 20, 5.0], [0, 0, -5]])


def described(body: Body, registration: str = "center") -> dict[str, Any]:
    """Described, through JSON, which takes no NaN."""
    found = describe(body, registration)
    assert list(found) == KEYS
    return json.loads(json.dumps(found, allow_nan=False))


def voxet(**more: Any) -> Voxet:
    """4 × 3 × 2 samples, U turned 30 degrees to the north, W down; values count up as they are stored."""
    c, s = np.sqrt(3) / 2, 0.5
    steps = np.array([[10 * c, 10 * s, 0], [-20 * s, 20 * c, 0], [0, 0, -5]])
    values = {"v": np.arange(24.0).reshape(2, 3, 4)}
    options = {"values": values, "kind": "Voxet", **more}
    return Voxet("rot", np.array([100.0, 200, 300]), steps, (2, 3, 4), **options)


def test_a_surface_counts_vertices_triangles_and_parts() -> None:
    surface = Surface(
        "fault", CORNERS, np.array([[0, 1, 2], [0, 2, 3], [0, 1, 4]]), np.array([0, 0, 3]), kind="TSurf",
        properties={"dip": np.array([1, 2, np.nan, 4, 5])}, units={"dip": "deg"}, crs_name="Default",
    )  # fmt: skip
    found = described(surface)
    assert (found["type"], found["name"], found["crs_name"]) == ("TSurf", "fault", "Default")
    assert (found["n_vertices"], found["n_cells"], found["n_parts"]) == (5, 3, 2)
    assert found["bounds"] == [0, 0, -5, 10, 20, 5]
    assert found["shape"] is None
    assert found["first_centre"] is None
    assert found["properties"] == {
        "dip": {"count": 4, "mean": 3.0, "min": 1.0, "max": 5.0, "missing": 1, "units": "deg"}
    }


def test_values_of_triangles_are_told_apart_from_those_of_vertices() -> None:
    surface = Surface(
        "s", CORNERS, np.array([[0, 1, 2]]), properties={"au": np.ones(5)}, units={"au": "ppm"},
        cell_properties={"au": np.array([7.0]), "zone": np.array([2.0])},
    )  # fmt: skip
    found = described(surface)
    assert {name: of["mean"] for name, of in found["properties"].items()} == {
        "au": 1.0, "au (cells)": 7.0, "zone": 2.0,
    }  # fmt: skip
    assert found["properties"]["au (cells)"]["units"] == "ppm"
    assert "Values of the triangles: 'au (cells)', 'zone'." in found["notes"]


def test_vectors_have_lists_and_count_rows_that_are_whole() -> None:
    vector = np.array([[1, 2, 3], [3, 4, 9], [np.nan, 0, 0], [5, 6, np.inf]])
    found = described(Points("p", np.zeros((4, 3)), properties={"n": vector}))
    assert found["properties"]["n"] == {
        "count": 2, "mean": [2.0, 3.0, 6.0], "min": [1.0, 2.0, 3.0], "max": [3.0, 4.0, 9.0], "missing": 2,
        "units": "",
    }  # fmt: skip
    assert any("'n' is infinite in 1 rows" in note for note in found["notes"])


def test_values_that_are_all_missing_have_no_mean() -> None:
    gone = {"a": np.full(2, np.nan), "b": np.full((2, 2), np.nan)}
    found = described(Points("p", np.zeros((2, 3)), properties=gone))["properties"]
    for name in "ab":
        assert (found[name]["count"], found[name]["missing"]) == (0, 2)
        assert found[name]["mean"] is found[name]["min"] is found[name]["max"] is None


def test_numbers_too_large_to_add_up_have_no_mean() -> None:
    found = described(Points("p", np.zeros((2, 3)), properties={"v": np.full(2, 1.7e308)}))
    assert found["properties"]["v"]["mean"] is None
    assert found["properties"]["v"]["max"] == 1.7e308


def test_elevations_of_no_data_are_told() -> None:
    heights = np.array([[0, 0, 400.0], [50, 0, 410], [0, 50, 405], [50, 50, -99999]])
    found = described(Surface("ground", heights, np.array([[0, 1, 2], [1, 3, 2]])))
    assert found["bounds"][2] == -99999
    sentence = "1 vertices lie at elevations that look like no data; without them z goes from 400 to 410 m."
    assert sentence in found["notes"]


def test_lines_count_segments_and_polylines() -> None:
    lines = Lines(
        "l", CORNERS, np.array([[0, 1], [2, 3], [3, 4]]), np.array([0, 1, 1]), kind="PLine",
        cell_properties={"age": np.array([1.0, 2, 3])},
    )  # fmt: skip
    found = described(lines)
    assert (found["n_vertices"], found["n_cells"], found["n_parts"]) == (5, 3, 2)
    assert found["properties"]["age"]["mean"] == 2
    assert "Values of the segments: 'age'." in found["notes"]


def test_points_are_one_part_unless_the_file_divides_them() -> None:
    assert described(Points("p", CORNERS))["n_parts"] == 1
    found = described(Points("p", CORNERS, part=np.array([1, 1, 2, 2, 5]), kind="VSet"))
    assert (found["n_vertices"], found["n_cells"], found["n_parts"]) == (5, 0, 3)


def test_nothing_at_all_has_no_bounds() -> None:
    found = described(Points("none", np.zeros((0, 3)), properties={"a": np.zeros(0)}))
    assert found["bounds"] == [None] * 6
    assert found["properties"]["a"]["count"] == 0
    blocks = BlockModel("none", np.zeros((0, 3)), np.zeros((0, 3)), {})
    assert described(blocks)["first_centre"] is None


def test_tetrahedra_are_cells() -> None:
    solid = Tetrahedra(
        "t", CORNERS, np.array([[0, 1, 2, 4], [0, 2, 3, 4]]), np.array([0, 1]), kind="TSolid",
        cell_properties={"rho": np.array([2.0, 4.0])},
    )  # fmt: skip
    found = described(solid)
    assert (found["n_vertices"], found["n_cells"], found["n_parts"]) == (5, 2, 2)
    assert found["properties"]["rho"]["mean"] == 3


def test_a_voxet_reaches_half_a_step_beyond_its_samples() -> None:
    found = described(voxet())
    assert (found["n_vertices"], found["n_cells"], found["n_parts"]) == (0, 24, 1)
    assert found["shape"] == [2, 3, 4]
    assert found["first_centre"] == [100, 200, 300]
    # the eight corners, worked out by hand: half a step before the first and after the last sample
    c, s = np.sqrt(3) / 2, 0.5
    u, v = np.array([-0.5, 3.5]) * 10, np.array([-0.5, 2.5]) * 20
    x = [100 + a * c - b * s for a in u for b in v]
    y = [200 + a * s + b * c for a in u for b in v]
    np.testing.assert_allclose(found["bounds"], [min(x), min(y), 292.5, max(x), max(y), 302.5])
    assert found["properties"]["v"] == {
        "count": 24, "mean": 11.5, "min": 0.0, "max": 23.0, "missing": 0, "units": "",
    }  # fmt: skip
    text = " ".join(found["notes"])
    assert "U has 4 samples 10 m apart, towards azimuth 060.0°; V has 3 samples 20 m apart" in text
    assert "W has 2 samples 5 m apart, down" in text
    assert "samples are the centres of cells" in text


def test_with_corner_registration_the_axes_end_at_the_corners_of_cells() -> None:
    steps = np.diag([10.0, 20, -5])
    box = Voxet("b", np.array([100.0, 200, 300]), steps, (2, 3, 4), {})
    found = described(box, "corner")
    # 4 cells on an axis of 30 m, 3 on 40 m, 2 on 5 m downwards
    assert found["bounds"] == [100, 200, 295, 130, 240, 300]
    np.testing.assert_allclose(found["first_centre"], [103.75, 200 + 40 / 6, 298.75])
    assert (
        "the ends of the axes are the outer corners of the cells, of 7.5 m × 13.3333 m × 2.5 m"
        in " ".join(found["notes"])
    )
    with pytest.raises(ValueError, match="registration 'middle' is not known, use 'center' or 'corner'"):
        describe(box, "middle")


def test_classes_and_regions_are_told_with_their_numbers() -> None:
    codes = np.array([0, 1, 1, 2] * 6, dtype=np.int16).reshape(2, 3, 4)
    inside = np.zeros((2, 3, 4), bool)
    inside[0] = True
    found = described(
        voxet(values={"rock": codes}, classes={"rock": {0: "Air", 1: "Schist"}}, regions={"ore": inside})
    )
    assert "'rock' holds codes, with the number of each: 0 Air (6), 1 Schist (12)." in found["notes"]
    assert "Codes of 'rock' without a name: 2 (6)." in found["notes"]
    assert "The region 'ore' holds 12 of 24 samples." in found["notes"]


def test_the_statistics_in_a_header_are_held_against_the_values() -> None:
    right = Statistics(24, 11.5, 50.0, 0.0, 23.0)  # sample variance of 0 to 23: 24 * 25 / 12
    assert any("that its header states" in n for n in describe(voxet(stated={"v": right}))["notes"])
    wrong = describe(voxet(stated={"v": right._replace(mean=3.0)}))["notes"]
    assert any(
        "should be 24, 3, 50, 0, 23 and are 24, 11.5, 50, 0, 23. Try the other byte order" in n for n in wrong
    )


def test_values_in_a_file_are_read_in_parts() -> None:
    largest = 0

    def decode(part: np.ndarray) -> np.ndarray:
        nonlocal largest
        largest = max(largest, part.size)
        return np.where(part == 0, np.nan, part).astype(np.float32)

    raw = np.arange(4_000_000, dtype=">i4").reshape(40, 250, 400)
    lazy = Lazy(raw, decode, np.dtype(np.float32))
    body = Voxet(
        "big",
        np.zeros(3),
        np.eye(3),
        (40, 250, 400),
        {"v": lazy, "turned": lazy.oriented((2, 1, 0), (slice(None),) * 3)},
    )
    found = described(body)["properties"]
    assert largest < raw.size / 2
    for name in ("v", "turned"):
        assert (found[name]["count"], found[name]["missing"]) == (3_999_999, 1)
        assert found[name]["min"] == 1
        assert found[name]["mean"] == pytest.approx(2_000_000, rel=1e-7)


def test_a_voxet_plane_without_a_step_is_flat() -> None:
    plane = Voxet("image", np.zeros(3), np.array([[2.0, 0, 0], [0, 3, 0], [0, 0, 0]]), (1, 2, 2), {})
    found = described(plane)
    assert found["bounds"] == [-1, -1.5, 0, 3, 4.5, 0]
    assert any(
        "W has 1 sample, in a direction that the file does not tell" in note for note in found["notes"]
    )


EDGES = (np.array([-30.0, -10, 0]), np.array([0.0, 1, 3]), np.array([500.0, 510, 530, 560]))


def test_a_tensor_mesh_is_described_by_its_edges() -> None:
    values = np.arange(12.0).reshape(2, 2, 3)
    model = PropertyModel("m", EDGES, {"den": values}, layout="As UBC has it.", units={"den": "g/cm3"})
    found = described(model)
    assert (found["n_cells"], found["shape"]) == (12, [2, 2, 3])
    assert found["bounds"] == [500, 0, -30, 560, 3, 0]
    assert found["first_centre"] == [505, 0.5, -20]
    assert found["properties"]["den"]["units"] == "g/cm3"
    assert "As UBC has it." in found["notes"]
    assert "Cells along x, y, z: 3 of 10 to 30 m, 2 of 1 to 2 m, 2 of 10 to 20 m." in found["notes"]
    top = PropertyModel("m", EDGES, {}, first_centre=(505.0, 0.5, -5.0))
    assert described(top)["first_centre"] == [505, 0.5, -5]


def test_a_rotated_mesh_says_where_its_axes_point() -> None:
    frame = Frame.rotated((1000, 2000, 0), 90)
    model = PropertyModel("m", EDGES, {}, frame=frame)
    found = described(model)
    # a quarter turn counterclockwise: local x becomes north, local y west
    np.testing.assert_allclose(found["first_centre"], [1000 - 0.5, 2000 + 505, -20])
    np.testing.assert_allclose(found["bounds"], [997, 2500, -30, 1000, 2560, 0], atol=1e-9)
    assert any("point x to the north; y to the west; z up" in note for note in found["notes"])


def test_a_structured_grid_has_points_and_cells() -> None:
    w, v, u = np.meshgrid([0, -10], [0, 20, 40], [0, 5, 10, 15], indexing="ij")
    grid = StructuredGrid(
        "g", np.stack([u, v, w], axis=-1).astype(float),
        {"cell": np.arange(6.0).reshape(1, 2, 3), "point": np.ones((2, 3, 4))},
        kind="SGrid", regions={"top": np.ones((1, 2, 3), bool)},
    )  # fmt: skip
    found = described(grid)
    assert (found["n_vertices"], found["n_cells"], found["shape"]) == (24, 6, [1, 2, 3])
    assert found["first_centre"] == [2.5, 10, -5]
    assert (found["properties"]["cell"]["count"], found["properties"]["point"]["count"]) == (6, 24)
    assert {"Values of the cells: 'cell'.", "Values of the points: 'point'."} <= set(found["notes"])
    assert "The region 'top' holds 6 of 6 cells or points." in found["notes"]


def test_blocks_have_a_shape_where_they_lie_on_a_lattice() -> None:
    z, y, x = np.meshgrid([5.0, 15], [10, 30, 50], [100, 200], indexing="ij")
    centres = np.column_stack([x.ravel(), y.ravel(), z.ravel()])[:-1]
    sizes = np.tile([100.0, 20, 10], (11, 1))
    blocks = BlockModel(
        "b", centres, sizes, {"au": np.arange(11.0)}, kind="block model", layout="Rows of a table.",
        texts={"rock": np.array(["ox"] * 8 + ["fr"] * 2 + [""])},
    )  # fmt: skip
    found = described(blocks)
    assert (found["n_vertices"], found["n_cells"], found["shape"]) == (0, 11, [2, 3, 2])
    assert found["first_centre"] == [100, 10, 5]
    assert found["bounds"] == [50, 0, 0, 250, 60, 20]
    assert "The blocks fill 11 of 12 cells of a lattice of 2 × 3 × 2 (x, y, z)." in found["notes"]
    assert "'rock' is text of 2 different words, 1 empty: ox (8), fr (2)." in found["notes"]
    assert "Rows of a table." in found["notes"]


def test_blocks_of_several_sizes_have_no_shape() -> None:
    blocks = BlockModel(
        "octree", np.array([[0.0, 0, 0], [3, 0, 0]]), np.array([[2.0, 2, 2], [4, 4, 4]]), {},
        frame=Frame.rotated((10, 0, 0), 180),
    )  # fmt: skip
    found = described(blocks)
    assert found["shape"] is None
    np.testing.assert_allclose(found["first_centre"], [10, 0, 0])
    assert "Blocks along x, y, z: 2 to 4 m, 2 to 4 m, 2 to 4 m." in found["notes"]


def test_a_raster_has_no_elevation() -> None:
    values = np.array([[1.0, 2, 3], [4, np.nan, 6]])
    raster = Raster("dem", np.array([5.0, 15]), np.array([100.0, 120, 140]), {"dem": values}, kind="raster")
    found = described(raster)
    assert (found["n_cells"], found["shape"]) == (6, [1, 2, 3])
    assert found["bounds"] == [90, 0, None, 150, 20, None]
    assert found["first_centre"] == [100, 5, None]
    assert found["properties"]["dem"]["missing"] == 1
    assert not any("elevation" in note for note in found["notes"])
    north = Raster("dem", raster.y, raster.x, {}, first_centre=(100.0, 15.0))
    assert described(north)["first_centre"] == [100, 15, None]
    turned = Raster("dem", raster.y, raster.x, {}, frame=Frame.rotated((0, 0, 0), 90))
    np.testing.assert_allclose(described(turned)["first_centre"][:2], [-5, 100], atol=1e-9)


def test_a_well_has_curves_and_intervals_as_properties() -> None:
    path = np.array([[0, 0, 100], [0, 0, 50], [10, 0, 0.0]])
    table = Intervals(
        np.array([0.0, 50]), np.array([50.0, 100]), {"Au": np.array([1.0, 3]), "rock": np.array(["a", "a"])}
    )
    again = Intervals(np.array([0.0]), np.array([9.0]), {"Au": np.array([7.0])})
    well = Well(
        "W1", path[0], np.array([0.0, 50, 101]), path, kind="Well", markers=(("Top", 40.0),),
        curves={"GR": Curve(np.arange(3.0), np.array([10, np.nan, 30]))},
        intervals={"assay": table, "check": again, "zones": Intervals(np.zeros(1), np.ones(1))},
        units={"Au": "g/t", "GR": "API"},
    )  # fmt: skip
    found = described(well)
    assert (found["n_vertices"], found["n_cells"], found["n_parts"]) == (3, 2, 1)
    assert {name: (of["mean"], of["units"]) for name, of in found["properties"].items()} == {
        "GR": (20.0, "API"), "Au": (2.0, "g/t"), "Au (check)": (7.0, "g/t"),
    }  # fmt: skip
    notes = " ".join(found["notes"])
    assert "The collar is at x 0, y 0, elevation 100 m." in notes
    assert "The path goes from a measured depth of 0 to 101 m, on straight lines." in notes
    assert "1 markers: Top at 40 m." in notes
    assert "Values of the 2 intervals of 'assay': 'Au', 'rock'." in notes
    assert "'rock' is text of 1 different words: a (2)." in notes
    assert "Intervals without values: 'zones'." in notes


def test_the_sense_of_z_is_told_once() -> None:
    depth = Points("p", CORNERS, z_positive="Depth")
    sentence = "The file counts z downwards; z is the elevation here, positive upwards."
    assert sentence in describe(depth)["notes"]
    said = depth.noted("z is depth in the file and was negated to elevation.")
    assert describe(said)["notes"] == ["z is depth in the file and was negated to elevation."]
    assert describe(Points("p", CORNERS))["notes"] == ["z is the elevation, positive upwards."]


def test_a_body_without_a_kind_has_the_name_of_its_class() -> None:
    assert describe(Points("p", CORNERS))["type"] == "Points"
    with pytest.raises(ValueError, match="Body 'x' is not a body that can be described"):
        describe(Body("x"))


def test_long_lists_are_cut() -> None:
    assert tally.listed(str(n) for n in range(14)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more"
