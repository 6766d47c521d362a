"""OMF 1: the real files, what is written, and what is refused."""

from __future__ import annotations

import json
import random
import struct
import uuid
import warnings
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from damage import damaged

from mpm3d.errors import FormatError
from mpm3d.geometry import Lines, Points, Surface, Tetrahedra
from mpm3d.io.omf import matches, read_bodies, read_omf, write_omf
from mpm3d.io.options import Options
from mpm3d.lattice import BlockModel, Frame, PropertyModel, Voxet

SHAPE = (2, 3, 4)
MARKER = (1, 0, 2)  # z, y, x
EDGES = (
    np.array([-30.0, -20, 0]),
    np.array([7e6, 7e6 + 5, 7e6 + 11, 7e6 + 20]),
    np.array([500000.125, 500002, 500007, 500010, 500020]),
)


def parts(path: Path) -> tuple[dict, dict]:
    """Objects of a file and its project, by a few lines of their own."""
    content = path.read_bytes()
    key, start = struct.unpack("<16sQ", content[36:60])
    objects = json.loads(content[start:])
    for item in objects.values():
        array = item.get("array")
        if isinstance(array, dict):
            packed = content[array["start"] : array["start"] + array["length"]]
            item["numbers"] = np.frombuffer(zlib.decompress(packed), array["dtype"])
    return objects, objects[str(uuid.UUID(bytes=key))]


def marked() -> np.ndarray:
    values = np.arange(24, dtype=float).reshape(SHAPE)
    values[MARKER] = 1000
    values[0, 2, 3] = np.nan
    return values


def model() -> PropertyModel:
    codes = np.where(marked() > 10, 20.0, 10.0)
    codes[0, 0, 0] = np.nan
    return PropertyModel(
        "Mödel", EDGES, {"a b": marked(), "rock": codes, "n": np.arange(24).reshape(SHAPE)},
        units={"a b": "g/cm3"}, classes={"rock": {10: "Sand", 20: "Ångström"}}, crs_name="EPSG:32651",
    )  # fmt: skip


def surface() -> Surface:
    return Surface(
        "fault",
        np.array([[5e5 + 0.1, 7e6, 0], [5e5 + 10, 7e6, 1], [5e5, 7e6 + 7, 2], [5e5 + 9, 7e6 + 9, 3.5]]),
        np.array([[0, 1, 2], [1, 3, 2]]), np.array([3, 9]),
        properties={"throw": np.array([1.5, np.nan, 2, 3]), "pole": np.arange(12.0).reshape(4, 3)},
        cell_properties={"dip": np.array([30.0, np.nan])},
        regions={"edge": np.array([True, False, True, False])}, units={"throw": "m"}, crs_name="EPSG:32651",
    )  # fmt: skip


def lines() -> Lines:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [2, 1, 0], [5, 5, 5], [6, 6, 7.25]])
    return Lines(
        "river", vertices, np.array([[0, 1], [1, 2], [3, 4]]), np.array([0, 0, 1]),
        cell_properties={"flow": np.array([1, 2, 3.5])}, crs_name="EPSG:32651",
    )  # fmt: skip


def points() -> Points:
    xyz = np.array([[1, 2, 3], [4, 5, 6.5]])
    return Points("sites", xyz, properties={"b": np.array([[1, 2], [4, 5.0]])}, crs_name="EPSG:32651")


def same(a, b):
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


# real files


@pytest.mark.corpus
def test_a_real_rotated_block_model_keeps_its_corner_and_axes(corpus_dir):
    path = corpus_dir / "omf/blockmodels/rotated_block_model.omf"
    objects, _ = parts(path)
    (geometry,) = (o for o in objects.values() if o["__class__"] == "VolumeGridGeometry")
    (body,) = read_omf(path)
    assert isinstance(body, PropertyModel)
    assert (body.name, body.kind) == ("Block Model", "OMF volume")
    assert body.shape == (2, 3, 4)  # 2 widths along W, 3 along V, 4 along U in the file
    corner = body.frame.to_world([[0, 0, 0]])[0]
    np.testing.assert_allclose(corner, geometry["origin"], rtol=0, atol=1e-9)
    far = geometry["origin"] + 40 * np.array(geometry["axis_u"]) + 30 * np.array(geometry["axis_v"])
    np.testing.assert_allclose(body.frame.to_world([[40, 30, 0]])[0], far, rtol=0, atol=1e-6)
    assert dict(body.values) == {}


@pytest.mark.corpus
def test_real_line_sets_have_the_numbers_of_the_file(corpus_dir):
    path = corpus_dir / "omf/omf1_and_2/lineset_v1.omf"
    objects, project = parts(path)
    bodies = read_omf(path)
    assert len(bodies) == len(project["elements"]) == 8
    for body, key in zip(bodies, project["elements"], strict=True):
        element = objects[key]
        geometry = objects[element["geometry"]]
        xyz = objects[geometry["vertices"]]["numbers"].reshape(-1, 3) + geometry["origin"]
        assert isinstance(body, Lines)
        assert body.name == element["name"]
        same(body.vertices, xyz)
        same(body.segments, objects[geometry["segments"]]["numbers"].reshape(-1, 2))
        for data in (objects[k] for k in element["data"]):
            place = body.cell_properties if data["location"] == "segments" else body.properties
            same(place[data["name"]], objects[data["array"]]["numbers"])
    # an element of which the geometry lies 50 m from the origin of the project
    assert bodies[-1].bounds[0] > 50


@pytest.mark.corpus
def test_real_surfaces_have_codes_with_the_names_of_their_legend(corpus_dir):
    first, second = read_omf(corpus_dir / "omf/omf1_and_2/omf1.omf")
    same(first.cell_properties["data 1"], [0, 0, 0, 1, 1, 2, 2])
    assert first.notes == ("codes of 'data 1': 0 granite, 1 sandstone, 2 ovb.",)
    same(second.cell_properties["data 1"], np.arange(1.0, 8))
    assert len(first.triangles) == len(second.triangles) == 7


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["omf1_and_2/omf2.omf", "blockmodels/bunny_blocks.omf"])
def test_omf_2_is_refused_with_what_to_do(name, corpus_dir):
    path = corpus_dir / "omf" / name
    assert matches(path, path.read_bytes()[:65536])
    with pytest.raises(FormatError, match=r"this is OMF 2 .a zip of Parquet files.*Export it as OMF 1"):
        read_omf(path)


# what is written


def test_everything_comes_back_as_it_was(tmp_path):
    path = tmp_path / "p.omf"
    made = [model(), surface(), lines(), points()]
    write_omf(path, made)
    cells, sheet, strings, spots = read_bodies(path, Options())
    for mine, theirs in zip(cells.edges, EDGES, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-9)
    for name, values in model().values.items():
        same(cells.values[name], values)
    assert cells.classes == model().classes
    assert cells.units == {"a b": "g/cm3"}
    assert cells.first_centre == pytest.approx((500001.0625, 7e6 + 2.5, -25))
    for body, other in ((sheet, surface()), (strings, lines()), (spots, points())):
        assert type(body) is type(other)
        assert (body.name, body.crs_name, body.units) == (other.name, "EPSG:32651", other.units)
        same(body.vertices, other.vertices)
        for name, values in other.properties.items():
            same(body.properties[name], values)
        for name, inside in other.regions.items():
            same(body.regions[name], inside)
    same(sheet.triangles, surface().triangles)
    same(sheet.part, [3, 9])
    same(sheet.cell_properties["dip"], [30, np.nan])
    same(strings.segments, lines().segments)
    same(strings.part, [0, 0, 1])
    same(strings.cell_properties["flow"], [1, 2, 3.5])
    assert [p.name for p in tmp_path.iterdir()] == ["p.omf"]


def test_values_follow_each_other_along_w_as_seequent_writes_them(tmp_path):
    write_omf(tmp_path / "m.omf", [replace(model(), values={"v": marked()}, classes={})])
    objects, _ = parts(tmp_path / "m.omf")
    (data,) = (o for o in objects.values() if o["__class__"] == "ScalarData")
    stored = objects[data["array"]]["numbers"]
    k, j, i = MARKER
    assert stored[(i * 3 + j) * 2 + k] == 1000  # U 4, V 3, W 2 cells


def test_the_package_of_the_format_reads_what_is_written(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what Python and NumPy give up
        omf = pytest.importorskip("omf")
        write_omf(tmp_path / "p.omf", [model(), surface(), lines(), points()])
        project = omf.OMFReader(str(tmp_path / "p.omf")).get_project()
        assert project.validate()
        volume, sheet, strings, spots = project.elements
        geometry = volume.geometry
        k, j, i = MARKER
        cells = volume.data[0].array.array.reshape(4, 3, 2)
        corner = [
            np.sum(t[:n]) for t, n in ((geometry.tensor_u, i), (geometry.tensor_v, j), (geometry.tensor_w, k))
        ]
        np.testing.assert_allclose(np.add(geometry.origin, corner), [500007, 7e6, -20])
        assert cells[i, j, k] == 1000
        assert volume.data[1].value_dict(0) == {"name": "Sand", "code": 10} or volume.data[1].indices[0] == -1
        same(sheet.geometry.vertices.array, surface().vertices)
        same(strings.geometry.segments.array, lines().segments)
        same(spots.data[0].array.array, points().properties["b"])


def test_what_the_package_of_the_format_writes_is_read(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        omf = pytest.importorskip("omf")
        grid = omf.SurfaceElement(
            name="grid", geometry=omf.SurfaceGridGeometry(
                tensor_u=[10.0, 20], tensor_v=[5.0], axis_u=[0, 1, 0], axis_v=[-1, 0, 0], origin=[100, 0, 0],
                offset_w=omf.ScalarArray(np.arange(6.0)),
            ), data=[omf.ScalarData(name="f", location="faces", array=omf.ScalarArray(np.array([7.0, 8])))],
        )  # fmt: skip
        words = omf.PointSetElement(
            name="words", geometry=omf.PointSetGeometry(vertices=np.array([[1.0, 2, 3]])),
            data=[
                omf.StringData(name="s", location="vertices", array=omf.StringArray(["a"])),
                omf.ColorData(name="c", location="vertices", array=[[0, 0, 0]]),
                omf.Vector3Data(name="v", location="vertices", array=np.array([[1.0, 2, 3]])),
            ],
        )  # fmt: skip
        project = omf.Project(name="p", units="ft", origin=[1000, 0, 0], elements=[grid, words])
        omf.OMFWriter(project, str(tmp_path / "p.omf"))
    sheet, spots = read_omf(tmp_path / "p.omf")
    foot = 0.3048
    # node u 1, v 0 lies 10 along the axis u = +y from (100, 0, 0) + (1000, 0, 0), W is u × v = +z
    np.testing.assert_allclose(sheet.vertices[2], np.array([1100, 10, 2]) * foot)
    np.testing.assert_allclose(sheet.vertices[1], np.array([1095, 0, 1]) * foot)
    same(sheet.cell_properties["f"], [7, 7, 8, 8])
    normal = np.cross(*np.diff(sheet.vertices[sheet.triangles[0]], axis=0))
    assert normal[2] > 0
    np.testing.assert_allclose(spots.vertices, [[1001 * foot, 2 * foot, 3 * foot]])
    same(spots.properties["v"], [[1, 2, 3]])
    assert "'s' was left out, it holds text." in spots.notes
    assert "'c' was left out, it holds colours." in spots.notes
    assert "lengths were converted from ft to metres." in spots.notes


def test_rotated_models_and_voxets_stay_where_they_are(tmp_path):
    turned = replace(
        model(), edges=tuple(e - e[0] for e in EDGES), frame=Frame.rotated([5e5, 7e6, -30], 30), classes={}
    )
    c, s = np.cos(0.3), np.sin(0.3)
    steps = np.array([[2 * c, 2 * s, 0], [-3 * s, 3 * c, 0], [0, 0, -1.5]])
    voxet = Voxet("tilted", np.array([5e5, 7e6, 30.0]), steps, SHAPE, {"v": marked()})
    down = Voxet("down", np.array([5e5, 7e6, 30.0]), np.diag([2.0, 3, -1.5]), SHAPE, {"v": marked()})
    write_omf(tmp_path / "r.omf", [turned, voxet, down])
    one, two, three = read_omf(tmp_path / "r.omf")
    for body, other in ((one, turned), (two, voxet), (three, down)):
        np.testing.assert_allclose(body.bounds, other.bounds, rtol=0, atol=1e-6)
    same(one.values["a b"], marked())
    same(two.values["v"], marked()[::-1])  # W points down
    assert two.frame is not None
    assert two.frame.axes[2, 2] == 1
    assert three.frame is None
    same(three.values["v"], down.as_model().values["v"])


def test_axes_that_run_down_or_are_swapped_are_turned_to_x_y_z(tmp_path):
    write_omf(tmp_path / "m.omf", [model()])
    content = (tmp_path / "m.omf").read_bytes()
    (start,) = struct.unpack("<Q", content[52:60])
    objects = json.loads(content[start:])
    (geometry,) = (o for o in objects.values() if o["__class__"] == "VolumeGridGeometry")
    geometry |= {"axis_u": [0, 1, 0], "axis_v": [1, 0, 0], "axis_w": [0, 0, -1], "origin": [0, 0, 0]}
    (tmp_path / "t.omf").write_bytes(content[:start] + json.dumps(objects).encode())
    (body,) = read_omf(tmp_path / "t.omf")
    assert body.frame is None
    np.testing.assert_allclose(body.edges[0], [-30, -10, 0])  # widths 10 and 20 downwards
    np.testing.assert_allclose(body.edges[1], EDGES[2] - EDGES[2][0])
    k, j, i = MARKER  # W from the top, V along x, U along y
    assert body.values["a b"][1 - k, i, j] == 1000


def test_blocks_of_one_size_become_a_volume(tmp_path):
    z, y, x = np.meshgrid([5.0, 15], [5.0, 15, 25], [5.0, 15, 25, 35], indexing="ij")
    centres = np.column_stack([x.ravel(), y.ravel(), z.ravel()])
    blocks = BlockModel("b", centres, np.full((24, 3), 10.0), {"v": marked().ravel()})
    write_omf(tmp_path / "b.omf", [blocks])
    (body,) = read_omf(tmp_path / "b.omf")
    same(body.values["v"], marked())


def test_the_other_order_of_values_can_be_asked_for_and_is_suggested_where_it_fits(tmp_path):
    z, y, x = np.meshgrid(np.arange(6.0), np.arange(8.0), np.arange(10.0), indexing="ij")
    smooth = z + 2 * y + 3 * x
    grid = PropertyModel("m", (np.arange(7.0), np.arange(9.0), np.arange(11.0)), {"v": smooth})
    write_omf(tmp_path / "w.omf", [grid])
    (body,) = read_omf(tmp_path / "w.omf")
    assert body.notes == ()
    # the same numbers with U fastest
    scrambled = smooth.ravel().reshape(10, 8, 6).transpose(2, 1, 0)
    write_omf(tmp_path / "u.omf", [replace(grid, values={"v": scrambled})])
    (wrong,) = read_omf(tmp_path / "u.omf")
    assert "much smoother with U fastest" in wrong.notes[0]
    (right,) = read_omf(tmp_path / "u.omf", fastest="u")
    same(right.values["v"], smooth)
    with pytest.raises(ValueError, match="fastest='v' is not known, use 'w' or 'u'"):
        read_omf(tmp_path / "u.omf", fastest="v")


# refusals


def changed(tmp_path: Path, change) -> Path:
    """A file of one surface with other objects."""
    write_omf(tmp_path / "s.omf", [surface()])
    content = (tmp_path / "s.omf").read_bytes()
    (start,) = struct.unpack("<Q", content[52:60])
    objects = json.loads(content[start:])
    change({o["__class__"]: o for o in objects.values()})
    path = tmp_path / "c.omf"
    path.write_bytes(content[:start] + json.dumps(objects).encode())
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda o: o["Vector3Array"]["array"].update(length=10**12), "lies outside the file"),
        (lambda o: o["Vector3Array"]["array"].update(start=-5), "at byte -5 of length"),
        (lambda o: o["Vector3Array"]["array"].update(length=20), "is cut short"),
        (lambda o: o["Vector3Array"]["array"].update(start=70), "the array at byte 70 is damaged"),
        (lambda o: o["Vector3Array"]["array"].update(dtype="|O"), "holds '|O'"),
        (lambda o: o["Vector3Array"].update(array=[1]), "has no numbers"),
        (
            lambda o: o["SurfaceGeometry"].update(origin=[0, "x", 0]),
            "'origin' should be a list of finite numbers",
        ),
        (lambda o: o["SurfaceGeometry"].update(origin=[0, 0]), "'origin' has 2 numbers, 3 are needed"),
        (lambda o: o["SurfaceGeometry"].update(__class__="Odd"), "an object is a 'Odd', SurfaceGeometry or"),
        (lambda o: o["SurfaceElement"].update(__class__="Odd"), "an element is a 'Odd'; points, lines"),
        (lambda o: o["SurfaceElement"].update(geometry="nowhere"), "the object 'nowhere' is missing"),
        (lambda o: o["SurfaceElement"].update(data=7), "'data' should be a list of objects, it is '7'"),
        (lambda o: o["Project"].update(elements=[]), "the project has no element"),
        (
            lambda o: o["ScalarData"].update(location="faces", array=o["Vector3Data"]["array"]),
            "12 values for 2 faces",
        ),
        (
            lambda o: o["SurfaceGeometry"].update(triangles=o["SurfaceGeometry"]["vertices"]),
            "'<f8', <f8 or <i8",
        ),
    ],
)
def test_damaged_objects_are_refused_with_the_reason(change, message, tmp_path):
    with pytest.raises(FormatError, match=message.replace("|", r"\|")):
        read_omf(changed(tmp_path, change))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x84\x83\x82\x81OMF", "no OMF file, which begins with the bytes 84 83 82 81. It may be truncated"),
        (b"hello" * 20, "this is no OMF file"),
        (
            b"\x84\x83\x82\x81" + b"OMF-v9".ljust(32, b"\0") + bytes(24),
            "the version is b'OMF-v9', 'OMF-v0.9.0'",
        ),
        (
            b"\x84\x83\x82\x81" + b"OMF-v0.9.0".ljust(32, b"\0") + bytes(16) + b"\xff" * 8,
            "should begin at byte",
        ),
        (
            b"\x84\x83\x82\x81"
            + b"OMF-v0.9.0".ljust(32, b"\0")
            + bytes(16)
            + struct.pack("<Q", 60)
            + b"[" * 90000,
            "the list of objects is damaged or truncated",
        ),
    ],
)
def test_damaged_headers_are_refused_with_the_reason(content, message, tmp_path):
    (tmp_path / "x.omf").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read_omf(tmp_path / "x.omf")


def test_an_array_that_unpacks_to_more_than_zlib_can_hold_is_not_unpacked(tmp_path):
    path = changed(tmp_path, lambda o: None)
    content = bytearray(path.read_bytes())
    packed = zlib.compress(bytes(50_000_000), 9)
    (start,) = struct.unpack("<Q", content[52:60])
    objects = json.loads(content[start:])
    array = next(o for o in objects.values() if o["__class__"] == "Vector3Array")
    array["array"] |= {"start": start, "length": len(packed)}
    new = content[:start] + packed
    new[52:60] = struct.pack("<Q", len(new))
    path.write_bytes(bytes(new) + json.dumps(objects).encode())
    with pytest.raises(FormatError, match="a multiple of 3 is needed"):
        read_omf(path)  # 6.25 million zeros are no whole number of vertices


def test_cut_and_changed_files_are_refused_or_read_and_nothing_else(tmp_path):
    write_omf(tmp_path / "seed.omf", [model(), surface(), lines(), points()])
    content = (tmp_path / "seed.omf").read_bytes()
    (start,) = struct.unpack("<Q", content[52:60])
    rng, path, refused = random.Random(1), tmp_path / "x.omf", 0
    for number in range(600):
        tail = damaged(content[start:], rng)
        path.write_bytes(content[:start] + tail if number % 2 else damaged(content, rng))
        try:
            read_omf(path)
        except FormatError:
            refused += 1
    assert refused > 300


def test_the_dispatcher_knows_omf_by_its_first_bytes(tmp_path):
    write_omf(tmp_path / "a.omf", [points()])
    assert matches(Path("x.dat"), (tmp_path / "a.omf").read_bytes())
    assert matches(Path("x.omf"), b"PK\x03\x04....")
    assert not matches(Path("x.zip"), b"PK\x03\x04....")
    assert not matches(Path("x.omf"), b"")


def skewed() -> PropertyModel:
    return replace(model(), frame=Frame(np.zeros(3), np.array([[1, 0.2, 0], [0, 1, 0], [0, 0, 1.0]])))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            Tetrahedra("t", np.zeros((4, 3)), np.array([[0, 1, 2, 3]])),
            "is a Tetrahedra, OMF 1 holds points, lines",
        ),
        (replace(points(), vertices=np.full((2, 3), np.inf)), r"vertex 0 of 'sites' is at \[inf"),
        (
            replace(points(), properties={"t": np.zeros((2, 6))}),
            "'t' of 'sites' has 6 components, OMF has 1, 2 or 3",
        ),
        (
            replace(model(), classes={"rock": {10: "Sand"}}),
            "'rock' has the value 20, which has no name among",
        ),
        (skewed(), "'Mödel' is skewed, the axes of OMF are at right angles"),
        (
            replace(model(), values={"v": np.zeros((1, 2, 3))}),
            r"'v' has shape \(1, 2, 3\), the cells are \(2, 3, 4\)",
        ),
        (
            Voxet("v", np.zeros(3), np.array([[1, 1, 0], [-1, 1, 0], [0, 0, 0.0]]), (1, 2, 2), {}),
            "has one sample and",
        ),
        (
            BlockModel("b", np.zeros((1, 3)), np.ones((1, 3)), {}, texts={"r": np.array(["a"])}),
            "columns of text .r.",
        ),
    ],
)
def test_what_omf_cannot_hold_is_refused_and_nothing_is_written(body, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_omf(tmp_path / "x.omf", [body])
    assert list(tmp_path.iterdir()) == []
