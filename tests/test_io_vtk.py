"""VTK files: what VTK writes is read, what is written VTK reads, and damage is refused."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvista as pv
from damage import damaged
from vtkmodules import vtkIOLegacy, vtkIOXML

from mpm3d.errors import FormatError
from mpm3d.geometry import Lines, Points, Surface, Tetrahedra
from mpm3d.grid import Grid
from mpm3d.io.options import Options
from mpm3d.io.vtk import SUFFIXES, matches, read_bodies, read_vtk, write_vtk
from mpm3d.lattice import BlockModel, Frame, PropertyModel, StructuredGrid, Voxet

NZ, NY, NX = SHAPE = (2, 3, 4)
MARKER = (1, 0, 2)  # z, y, x
EDGES = (
    np.array([-30.0, -20, 0]),
    np.array([7e6, 7e6 + 5, 7e6 + 11, 7e6 + 20]),
    np.array([500000.123, 500002, 500007, 500010, 500020]),
)
GRID = Grid(SHAPE, (10, 20, 30), (-100, 7000000.5, 500000.25), "EPSG:32651")


def marked() -> np.ndarray:
    values = np.arange(24, dtype=np.float32).reshape(SHAPE)
    values[MARKER] = 1000
    values[0, 2, 3] = np.nan
    return values


def tensor() -> PropertyModel:
    return PropertyModel(
        "Mödel", EDGES, {"a b": marked(), "code": np.arange(24).reshape(SHAPE)}, units={"a b": "g/cm3"},
        classes={"code": {0: "Sand", 23: "Ton"}}, crs_name="EPSG:32651",
    )  # fmt: skip


def equal() -> PropertyModel:
    return PropertyModel.from_grid("equal", GRID, {"v": marked()})


def tilted() -> Voxet:
    c, s = np.cos(0.3), np.sin(0.3)
    steps = np.array([[2 * c, 2 * s, 0], [-3 * s, 3 * c, 0], [0, 0, -1.5]])  # W downwards: left-handed
    regions = {"ore": marked() == 1000}
    return Voxet("tilted", np.array([5e5, 7e6, 30.0]), steps, SHAPE, {"v": marked()}, regions=regions)


def sheet() -> Surface:
    return Surface(
        "fault",
        np.array([[5e5 + 0.1, 7e6, 0], [5e5 + 10, 7e6, 1], [5e5, 7e6 + 7, 2], [5e5 + 9, 7e6 + 9, 3.5]]),
        np.array([[0, 1, 2], [1, 3, 2]]), np.array([3, 9]),
        properties={"throw": np.array([1.5, np.nan, 2, 3])},
        cell_properties={"dip": np.array([30.0, np.nan])},
        regions={"edge": np.array([True, False, True, False])},
        units={"throw": "m"}, crs_name="EPSG:32651",
    )  # fmt: skip


def strings() -> Lines:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [2, 1, 0], [5, 5, 5], [6, 6, 7.25]])
    return Lines("river", vertices, np.array([[0, 1], [1, 2], [3, 4]]), np.array([0, 0, 1]))


def stations() -> Points:
    return Points(
        "sites", np.array([[1, 2, 3], [4, 5, 6.5]]), properties={"b": np.array([[1, 2, 3], [4, 5, 6.0]])}
    )


def same(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def value_at(path: Path, xyz: list[float], name: str) -> float:
    """What VTK itself has in the cell around a point."""
    mesh = pv.read(path)
    return float(mesh.cell_data[name][mesh.find_containing_cell(xyz)])


# models


@pytest.mark.parametrize("suffix", [".vtr", ".vtk"])
def test_cells_of_any_width_come_back_as_they_were(suffix, tmp_path):
    path = tmp_path / f"m{suffix}"
    write_vtk(path, [tensor()])
    (body,) = read_vtk(path)
    assert isinstance(body, PropertyModel)
    assert body.name == "Mödel"
    assert body.kind == "VTK RectilinearGrid"
    assert body.units == {"a b": "g/cm3"}
    assert body.crs_name == "EPSG:32651"
    assert body.classes == {"code": {0: "Sand", 23: "Ton"}}
    for mine, theirs in zip(body.edges, EDGES, strict=True):
        same(mine, theirs)
    same(body.values["a b"], marked())
    same(body.values["code"], np.arange(24).reshape(SHAPE))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".vtr", ".vts", ".vtk"])
def test_vtk_finds_the_marker_of_a_model_where_it_lies(suffix, tmp_path):
    path = tmp_path / f"m{suffix}"
    write_vtk(path, [tensor()])
    # centre of cell z 1, y 0, x 2 from the edges
    assert value_at(path, [500008.5, 7e6 + 2.5, -10], "a b") == 1000


@pytest.mark.parametrize("suffix", [".vti", ".vtr", ".vts", ".vtk"])
def test_vtk_finds_the_marker_of_equal_cells_where_it_lies(suffix, tmp_path):
    path = tmp_path / f"m{suffix}"
    write_vtk(path, [equal()])
    z, y, x = (GRID.centres(axis)[k] for axis, k in enumerate(MARKER))
    assert value_at(path, [x, y, z], "v") == 1000
    (body,) = read_vtk(path)
    assert body.bounds == GRID.bounds
    same(body.values["v"], marked())
    assert isinstance(body, StructuredGrid if suffix == ".vts" else PropertyModel)


@pytest.mark.parametrize("suffix", [".vti", ".vts", ".vtk"])
def test_rotated_cells_stay_rotated(suffix, tmp_path):
    model = replace(equal(), edges=tuple(e - e[0] for e in equal().edges))
    model = replace(model, frame=Frame.rotated([500000.25, 7000000.5, -100], 30))
    path = tmp_path / f"m{suffix}"
    write_vtk(path, [model])
    (body,) = read_vtk(path)
    np.testing.assert_allclose(body.bounds, model.bounds, rtol=0, atol=1e-6)
    same(body.values["v"], marked())
    place = model.frame.to_world([[75.0, 10, 15]])[0]
    assert value_at(path, place.tolist(), "v") == 1000
    if suffix == ".vti":
        assert isinstance(body, Voxet)
        np.testing.assert_allclose(body.steps[0], 30 * model.frame.axes[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("suffix", [".vti", ".vts", ".vtk"])
def test_a_left_handed_rotated_voxet_keeps_places_and_regions(suffix, tmp_path):
    voxet, path = tilted(), tmp_path / f"m{suffix}"
    write_vtk(path, [voxet])
    (body,) = read_vtk(path)
    np.testing.assert_allclose(body.bounds, voxet.bounds, rtol=0, atol=1e-6)
    k, j, i = MARKER
    place = voxet.origin + np.array([i, j, k]) @ voxet.steps
    assert value_at(path, place.tolist(), "v") == 1000
    same(np.asarray(body.regions["ore"]), np.asarray(body.values["v"]) == 1000)


def test_a_voxet_along_the_axes_is_turned_so_that_they_ascend(tmp_path):
    steps = np.array([[0, -2.0, 0], [0, 0, -3], [1.5, 0, 0]])  # U south, V down, W east
    voxet = Voxet("turned", np.array([10.0, 20, 30]), steps, SHAPE, {"v": marked()})
    for suffix in (".vti", ".vtr"):
        path = tmp_path / f"m{suffix}"
        write_vtk(path, [voxet])
        (body,) = read_vtk(path)
        assert body.bounds == voxet.bounds
        same(body.values["v"], voxet.as_model().values["v"])
        k, j, i = MARKER
        assert value_at(path, (voxet.origin + np.array([i, j, k]) @ steps).tolist(), "v") == 1000


def test_a_structured_grid_keeps_points_and_values_of_points_and_cells(tmp_path):
    w, v, u = np.meshgrid(np.arange(3.0), np.arange(4.0), np.arange(5.0), indexing="ij")
    points = np.stack([5e5 + 10 * u + w, 7e6 + v, -20 * w + u], axis=-1)
    values = {"cells": marked(), "points": w + 10 * v + 100 * u}
    grid = StructuredGrid("grid", points, values, regions={"ore": marked() == 1000})
    for suffix in (".vts", ".vtk"):
        path = tmp_path / f"g{suffix}"
        write_vtk(path, [grid])
        (body,) = read_vtk(path)
        assert isinstance(body, StructuredGrid)
        same(body.points, points)
        same(body.values["cells"], marked())
        same(body.values["points"], values["points"])
        same(body.regions["ore"], marked() == 1000)
        assert value_at(path, grid.centres()[MARKER].tolist(), "cells") == 1000


@pytest.mark.parametrize("suffix", [".vtu", ".vtk"])
@pytest.mark.parametrize("frame", [None, Frame.rotated([5e5, 7e6, 0], 30)])
def test_blocks_keep_sizes_text_and_rotation(suffix, frame, tmp_path):
    blocks = BlockModel(
        "blocks", np.array([[0, 0, 0], [15, 0, 0], [40, 4, 9.0]]),
        np.array([[10, 12, 14], [20, 20, 20], [5, 6, 7.0]]), {"au": np.array([1.5, np.nan, 1000])},
        texts={"rock": np.array(["Schiefer", "", "Ångström"])}, frame=frame,
    )  # fmt: skip
    path = tmp_path / f"b{suffix}"
    write_vtk(path, [blocks])
    (body,) = read_vtk(path)
    assert isinstance(body, BlockModel)
    np.testing.assert_allclose(body.bounds, blocks.bounds, rtol=0, atol=1e-6)
    np.testing.assert_allclose(body.sizes, blocks.sizes, rtol=1e-9)
    same(body.values["au"], blocks.values["au"])
    assert body.texts["rock"].tolist() == ["Schiefer", "", "Ångström"]
    place = blocks.centres[2] if frame is None else frame.to_world(blocks.centres)[2]
    assert value_at(path, place.tolist(), "au") == 1000
    assert (body.frame is None) == (frame is None)


@pytest.mark.parametrize("suffix", [".vtu", ".vtk"])
def test_tetrahedra_come_back(suffix, tmp_path):
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1.0]])
    solid = Tetrahedra(
        "solid", vertices, np.array([[0, 1, 2, 3], [1, 2, 3, 4]]), np.array([7, 8]),
        properties={"p": np.arange(5.0)}, cell_properties={"c": np.array([1, np.nan])},
        regions={"top": np.array([False, False, False, True, True])},
    )  # fmt: skip
    path = tmp_path / f"t{suffix}"
    write_vtk(path, [solid])
    (body,) = read_vtk(path)
    same(body.vertices, vertices)
    same(body.tetrahedra, solid.tetrahedra)
    same(body.part, [7, 8])
    same(body.properties["p"], np.arange(5.0))
    same(body.cell_properties["c"], [1, np.nan])
    same(body.regions["top"], solid.regions["top"])


# surfaces, lines and points


@pytest.mark.parametrize("suffix", [".vtp", ".vtk"])
@pytest.mark.parametrize("make", [sheet, strings, stations])
def test_one_body_comes_back_as_it_was(suffix, make, tmp_path):
    made, path = make(), tmp_path / f"b{suffix}"
    write_vtk(path, [made])
    (body,) = read_vtk(path)
    check_same(body, made)
    assert body.units == made.units
    assert body.crs_name == made.crs_name
    assert body.notes == ()


@pytest.mark.parametrize("suffix", [".vtp", ".vtk"])
def test_several_bodies_of_a_file_come_back_one_by_one(suffix, tmp_path):
    made = [stations(), replace(strings(), part=np.array([4, 4, 6])), sheet(), replace(sheet(), name="other")]
    path = tmp_path / f"b{suffix}"
    write_vtk(path, [made[2], made[0], made[1], made[3]])
    assert pv.read(path).n_cells == 2 + 2 + 2 + 2
    for body, other in zip(read_vtk(path), made, strict=True):
        check_same(body, other)


def check_same(body, other):
    assert type(body) is type(other)
    assert body.name == other.name
    same(body.vertices, other.vertices)
    assert list(body.properties) == list(other.properties)
    for name, values in other.properties.items():
        same(body.properties[name], values)
    assert set(body.regions) == set(other.regions)
    for name, inside in other.regions.items():
        same(body.regions[name], inside)
    if not isinstance(other, Points):
        elements = "triangles" if isinstance(other, Surface) else "segments"
        same(getattr(body, elements), getattr(other, elements))
        same(body.part, other.part)
        assert list(body.cell_properties) == list(other.cell_properties)
        for name, values in other.cell_properties.items():
            same(body.cell_properties[name], values)


def test_values_of_segments_keep_their_segments(tmp_path):
    lines = replace(strings(), cell_properties={"flow": np.array([1, 2, 3.5])})
    write_vtk(tmp_path / "l.vtp", [lines])
    (body,) = read_vtk(tmp_path / "l.vtp")
    same(body.cell_properties["flow"], [1, 2, 3.5])
    same(body.segments, lines.segments)
    same(body.part, lines.part)


# what VTK writes


def xml_files(mesh, folder: Path):
    """A dataset in every form that VTK's writers have."""
    kind = (
        mesh.GetClassName().removeprefix("vtk")
        if mesh.GetClassName().startswith("vtk")
        else type(mesh).__name__
    )
    for mode in range(3):
        for compressor in range(4):
            for encoded in (0, 1):
                writer = getattr(vtkIOXML, f"vtkXML{kind}Writer")()
                writer.SetInputData(mesh)
                writer.SetDataMode(mode)
                writer.SetCompressorType(compressor)
                writer.SetEncodeAppendedData(encoded)
                writer.SetHeaderType(64 if encoded else 32)
                writer.SetByteOrder(compressor % 2)
                writer.SetBlockSize(64)
                path = folder / f"{mode}{compressor}{encoded}.{writer.GetDefaultFileExtension()}"
                writer.SetFileName(str(path))
                assert writer.Write() == 1
                yield path
    for binary in (1, 2):
        for version in (42, 51):
            name = "StructuredPoints" if kind == "ImageData" else kind
            writer = getattr(vtkIOLegacy, f"vtk{name}Writer")()
            writer.SetInputData(mesh)
            writer.SetFileType(binary)
            writer.SetFileVersion(version)
            path = folder / f"{binary}{version}.vtk"
            writer.SetFileName(str(path))
            assert writer.Write() == 1
            yield path


def datasets():
    image = pv.ImageData(dimensions=(3, 4, 5), origin=(1, 2, 3), spacing=(1, 2, 4))
    image["p"] = np.arange(60.0)
    image.cell_data["c"] = np.arange(24, dtype=np.int32)
    rectilinear = pv.RectilinearGrid(np.array([0, 1, 3.0]), np.array([0, 2, 3, 7.0]), np.arange(5.0))
    rectilinear.cell_data["c"] = np.arange(24, dtype=np.int16)
    plane = pv.Plane(i_resolution=2, j_resolution=2)
    plane["v"] = np.arange(9, dtype=np.float32)
    plane.field_data["name"] = ["plane of mine", "x"]
    spline = pv.Spline(np.array([[0, 0, 0], [1, 1, 0], [2, 0, 1.0]]), 7)
    boxes = rectilinear.cast_to_unstructured_grid()
    return {
        "image": image, "rectilinear": rectilinear, "structured": rectilinear.cast_to_structured_grid(),
        "plane": plane, "spline": spline, "boxes": boxes, "tetrahedra": boxes.triangulate(),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(datasets()))
def test_every_form_that_vtk_writes_reads_the_same(name, tmp_path):
    mesh = datasets()[name]
    for path in xml_files(mesh, tmp_path):
        bodies = read_vtk(path)
        body = bodies[0]
        if name == "image":
            cells, points = bodies
            same(np.asarray(cells.values["c"]).ravel(), np.arange(24))
            same(np.asarray(points.values["p"]).ravel(), np.arange(60.0))
            assert isinstance(points, Voxet)
            same(points.origin, [1, 2, 3])
            same(np.diag(points.steps), [1, 2, 4])
        elif name in ("rectilinear", "structured"):
            same(np.asarray(body.values["c"]).ravel(), np.arange(24))
            assert body.bounds == (0, 0, 0, 3, 7, 4)
        elif name == "plane":
            assert isinstance(body, Surface)
            assert body.name == "plane of mine"
            same(body.vertices, mesh.points)
            same(body.properties["v"], np.arange(9))
            assert len(body.triangles) == 8  # of 4 quadrilaterals
            assert any("more than three corners" in note for note in body.notes)
        elif name == "spline":
            assert isinstance(body, Lines)
            same(body.segments, [[k, k + 1] for k in range(6)])
        elif name == "boxes":
            assert isinstance(body, BlockModel)
            assert body.bounds == (0, 0, 0, 3, 7, 4)
            same(body.values["c"], np.arange(24))
            np.testing.assert_allclose(body.sizes[0], [1, 2, 1])
        else:
            assert isinstance(body, Tetrahedra)
            assert (body.volumes > 0).all()
            assert body.volumes.sum() == pytest.approx(3 * 7 * 4)


def test_gzipped_files_are_read(tmp_path):
    import gzip

    write_vtk(tmp_path / "m.vtr", [tensor()])
    packed = tmp_path / "m.vtr.gz"
    packed.write_bytes(gzip.compress((tmp_path / "m.vtr").read_bytes()))
    (body,) = read_vtk(packed)
    same(body.values["a b"], marked())


def test_triangle_strips_become_triangles_that_face_one_way(tmp_path):
    mesh = pv.PolyData()
    mesh.points = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0], [2, 0, 0.0]])
    mesh.strips = np.array([5, 0, 1, 2, 3, 4])
    mesh.cell_data["c"] = np.array([7.0])
    mesh.save(tmp_path / "s.vtp")
    (body,) = read_vtk(tmp_path / "s.vtp")
    assert len(body.triangles) == 3
    a, b, c = np.moveaxis(body.vertices[body.triangles], 1, 0)
    assert len(set(np.sign(np.cross(b - a, c - a)[:, 2]))) == 1
    same(body.cell_properties["c"], [7, 7, 7])
    assert "strips were cut" in body.notes[0]


def test_mixed_cells_become_a_body_of_each_sort(tmp_path):
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5], [6, 6, 6], [9, 9, 9.0]])
    mesh = pv.PolyData(points, verts=[1, 5], lines=[2, 3, 4], faces=[3, 0, 1, 2])
    mesh["v"] = np.arange(6.0)
    mesh.save(tmp_path / "m.vtp")
    spots, lines, surface = read_vtk(tmp_path / "m.vtp")
    same(spots.vertices, points[5:])
    same(spots.properties["v"], [5])
    same(lines.vertices, points[3:5])
    same(lines.segments, [[0, 1]])
    same(surface.properties["v"], [0, 1, 2])


def test_points_without_cells_are_points(tmp_path):
    path = tmp_path / "p.vtk"
    path.write_text(
        "# vtk DataFile Version 3.0\nsites\nASCII\nDATASET POLYDATA\nPOINTS 2 float\n0 0 0 1 2 3\n"
    )
    (body,) = read_vtk(path)
    assert isinstance(body, Points)
    assert body.name == "sites"
    same(body.vertices, [[0, 0, 0], [1, 2, 3]])


def test_an_old_ascii_file_is_read_word_by_word(tmp_path):
    path = tmp_path / "old.vtk"
    path.write_text(
        "# vtk DataFile Version 2.0\r\nmodel of mine\r\nASCII\r\nDATASET STRUCTURED_POINTS\r\n"
        "DIMENSIONS 3 2 2\r\nASPECT_RATIO 10 20 30\r\nORIGIN 100 200 -300\r\n\r\n"
        "CELL_DATA 2\r\nSCALARS dens%20ity float 1\r\nLOOKUP_TABLE default\r\n2.5 2.75\r\n"
        "VECTORS m double\r\n1 2 3\r\n4 5 6\r\n"
        "COLOR_SCALARS rgb 3\r\n0 0 0 1 1 1\r\nFIELD FieldData 1\r\nk 1 2 int\r\n7 8\r\n"
    )
    (body,) = read_vtk(path)
    assert body.name == "model of mine"
    assert body.bounds == (100, 200, -300, 120, 220, -270)
    same(body.values["dens ity"].ravel(), np.float32([2.5, 2.75]))
    same(body.values["m_y"].ravel(), [2, 5])
    same(body.values["k"].ravel(), [7, 8])
    assert any("3 components" in note for note in body.notes)


def test_an_image_whose_extent_does_not_begin_at_zero_lies_where_vtk_has_it(tmp_path):
    image = pv.ImageData()
    image.SetExtent(2, 4, -1, 1, 10, 12)
    image.SetOrigin(100, 200, 300)
    image.SetSpacing(10, 20, 30)
    image.cell_data["v"] = np.arange(8.0)
    image.save(tmp_path / "i.vti")
    (body,) = read_vtk(tmp_path / "i.vti")
    b = pv.read(tmp_path / "i.vti").bounds
    assert body.bounds == (b[0], b[2], b[4], b[1], b[3], b[5]) == (120, 180, 600, 140, 220, 660)


def test_values_at_the_points_of_rows_of_cells_get_cells_around_them(tmp_path):
    mesh = pv.RectilinearGrid(np.array([0.0, 10, 30]), np.array([0.0, 1]), np.array([0.0, 2]))
    mesh["v"] = np.arange(12.0)
    mesh.save(tmp_path / "r.vtr")
    (body,) = read_vtk(tmp_path / "r.vtr")
    same(body.edges[2], [-5, 5, 20, 40])
    assert body.shape == (2, 2, 3)
    assert any("half-way" in note for note in body.notes)


def test_coordinates_that_descend_are_turned_with_their_values(tmp_path):
    path = tmp_path / "d.vtk"
    path.write_text(
        "# vtk DataFile Version 3.0\nx\nASCII\nDATASET RECTILINEAR_GRID\nDIMENSIONS 3 2 3\n"
        "X_COORDINATES 3 float\n0 1 3\nY_COORDINATES 2 float\n0 5\nZ_COORDINATES 3 float\n0 -10 -30\n"
        "CELL_DATA 4\nSCALARS v float\nLOOKUP_TABLE default\n1 2 3 4\n"
    )
    (body,) = read_vtk(path)
    same(body.edges[0], [-30, -10, 0])
    same(body.values["v"], [[[3, 4]], [[1, 2]]])


def test_cells_that_vtk_hides_have_no_value(tmp_path):
    image = pv.ImageData(dimensions=(3, 2, 2))
    image.cell_data["v"] = np.array([1, 2])
    image.cell_data["vtkGhostType"] = np.array([0, 32], np.uint8)
    image.save(tmp_path / "g.vti")
    (body,) = read_vtk(tmp_path / "g.vti")
    same(body.values["v"].ravel(), [1, np.nan])
    assert "1 places that VTK hides" in body.notes[0]


def test_a_structured_grid_of_one_layer_is_a_surface(tmp_path):
    x, y = np.meshgrid(np.arange(3.0), np.arange(4.0))
    mesh = pv.StructuredGrid(x, y, x + 10 * y)
    mesh.cell_data["c"] = np.arange(6.0)
    mesh.save(tmp_path / "s.vts")
    (body,) = read_vtk(tmp_path / "s.vts")
    assert isinstance(body, Surface)
    assert len(body.triangles) == 12
    for number, cell in enumerate(mesh.cell_centers().points):
        centre = body.vertices[body.triangles[body.cell_properties["c"] == number]].mean(axis=(0, 1))
        assert np.abs(centre - cell).max() < 0.5 * 10


def test_turned_tetrahedra_get_positive_volumes(tmp_path):
    mesh = pv.UnstructuredGrid(
        {10: np.array([[0, 2, 1, 3]])}, np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    )
    mesh.save(tmp_path / "t.vtu")
    (body,) = read_vtk(tmp_path / "t.vtu")
    assert body.volumes[0] == pytest.approx(1 / 6)
    assert "turned round" in body.notes[0]


def test_text_of_vertices_is_left_out_and_noted(tmp_path):
    mesh = pv.PolyData(np.array([[0, 0, 0], [1, 1, 1.0]]))
    mesh["rock"] = ["a", "b"]
    mesh.save(tmp_path / "p.vtp")
    (body,) = read_vtk(tmp_path / "p.vtp")
    assert body.notes == ("the text of 'rock' was left out.",)


def test_the_dispatcher_knows_vtk_by_its_first_words(tmp_path):
    write_vtk(tmp_path / "a.vtp", [sheet()])
    write_vtk(tmp_path / "a.vtk", [sheet()])
    for name in ("a.vtp", "a.vtk"):
        head = (tmp_path / name).read_bytes()[:65536]
        assert matches(Path("x.dat"), head)
        assert len(read_bodies(tmp_path / name, Options())) == 1
    rng = random.Random(0)
    for _ in range(200):
        assert matches(Path("x.vtp"), rng.randbytes(rng.randint(0, 300))) is False


# refusals


def legacy(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "x.vtk"
    path.write_text(f"# vtk DataFile Version 3.0\nx\n{text}")
    return path


POLY = "ASCII\nDATASET POLYDATA\n"
ONE = f"{POLY}POINTS 1 float\n0 0 0\n"
CELL = "ASCII\nDATASET UNSTRUCTURED_GRID\nPOINTS 1 float\n0 0 0\nCELLS 1 2\n1 0\n"
IMAGE = "ASCII\nDATASET STRUCTURED_POINTS\n"
ROWS = (
    "ASCII\nDATASET RECTILINEAR_GRID\nDIMENSIONS 2 2 2\nX_COORDINATES 2 float\n0 0\nY_COORDINATES 2 float\n"
    "0 1\nZ_COORDINATES 2 float\n0 1\n"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TEXT\n", "line 3 is b'TEXT', ASCII or BINARY is needed"),
        ("ASCII\n", "no DATASET was found. The file may be truncated"),
        ("ASCII\nDATASET ODD\n", "a dataset 'ODD' is not read, STRUCTURED_POINTS"),
        (POLY + "POINTS 1000000000000 float\n0 0 0\n", r"POINTS is '1000000000000', the size"),
        (POLY + "POINTS -3 float\n0 0 0\n", "POINTS is '-3', the size of the file allows 0 to"),
        (POLY + "POINTS 3 float\n0 0 0\n", "'POINTS' needs 9 numbers, 3 are there"),
        (POLY + "POINTS 1 float\n0 zero 0\n", "has a value that is no number"),
        (POLY + "POINTS 1 float\n0 nan 0\n", "a coordinate is not a finite number of metres"),
        (ONE + "POLYGONS 1 4\n3 0 0 7\n", "refer to the point 7 of 1"),
        (ONE + "POLYGONS 1 4\n9 0 0 0\n", "a cell goes on beyond the 4"),
        (ONE + "POLYGONS 1 6\n3 0 0 0 0 0\n", "1 cells take 4 numbers"),
        (ONE + "POINT_DATA 2\n", "POINT_DATA is for 2 places and there"),
        (POLY + "POINTS 0 float\n", "the PolyData is empty"),
        (POLY + "NONSENSE 7\n", "line 5: the word 'NONSENSE' is not known here"),
        (IMAGE + "DIMENSIONS 99999 99999 99999\n", "more than a file of .* bytes can hold"),
        (IMAGE + "DIMENSIONS 2 2 2\nSPACING 0 1 1\n", "a spacing of .* is not possible"),
        ("BINARY\nDATASET POLYDATA\nPOINTS 3 float\n\0\0\0", "needs 36 bytes that are not there"),
        (CELL, "there are 0 types of 1 cells"),
        (CELL + "CELL_TYPES 1\n13\n", "cells of VTK's type 13 are not read; tetrahedra .10., boxes"),
        (ROWS, "the coordinates along x do not ascend"),
        (
            "ASCII\nDATASET STRUCTURED_GRID\nDIMENSIONS 2 2 2\nPOINTS 1 float\n0 0 0\n",
            "there are 1 points, the dimen",
        ),
    ],
)
def test_damaged_legacy_files_are_refused_with_the_reason(text, message, tmp_path):
    with pytest.raises(FormatError, match=message):
        read_vtk(legacy(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"</VTKFile>", b"", "the XML is damaged or truncated"),
        (b"<VTKFile", b"<!DOCTYPE x><VTKFile", "a DOCTYPE has no place"),
        (
            b'NumberOfPoints="4"',
            b'NumberOfPoints="999999999999"',
            "NumberOfPoints is '999999999999', the size",
        ),
        (b'NumberOfPoints="4"', b'NumberOfPoints="5"', "has 12 numbers, 5 places of 3 need 15"),
        (b'NumberOfPolys="2"', b'NumberOfPolys="3"', "Polys has 2 offsets for 3 cells"),
        (b'type="Float64" Name="Points"', b'type="Odd" Name="Points"', "is of the type 'Odd'"),
        (
            b'type="PolyData"',
            b'type="HyperTreeGrid"',
            "VTK's 'HyperTreeGrid' is not read, PolyData, ImageData",
        ),
        (b"ascii", b"morse", "the format 'morse' of an array is not known"),
    ],
)
def test_damaged_xml_files_are_refused_with_the_reason(old, new, message, tmp_path):
    mesh = pv.PolyData(sheet().vertices, np.column_stack([[3, 3], sheet().triangles]).ravel())
    writer = vtkIOXML.vtkXMLPolyDataWriter()
    writer.SetInputData(mesh)
    writer.SetDataModeToAscii()
    path = tmp_path / "x.vtp"
    writer.SetFileName(str(path))
    writer.Write()
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        read_vtk(path)


def test_a_file_of_other_files_names_them(tmp_path):
    pv.MultiBlock({"a": pv.Sphere(), "b": pv.Cube()}).save(tmp_path / "m.vtm")
    with pytest.raises(
        FormatError, match=r"only lists other files \(m/m_0\.vtp, m/m_1\.vtp\)\. Read these one by"
    ):
        read_vtk(tmp_path / "m.vtm")


def test_hexahedra_that_are_no_boxes_are_refused(tmp_path):
    mesh = pv.RectilinearGrid(np.arange(3.0), np.arange(3.0), np.arange(3.0)).cast_to_unstructured_grid()
    mesh.points[:, 0] += mesh.points[:, 2] ** 2
    mesh.save(tmp_path / "h.vtu")
    with pytest.raises(FormatError, match=r"no boxes of one orientation.*Save the grid as a structured grid"):
        read_vtk(tmp_path / "h.vtu")


def test_cut_and_changed_files_are_refused_or_read_and_nothing_else(tmp_path):
    seeds = []
    for number, mesh in enumerate(datasets().values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        seeds += [path.read_bytes() for path in list(xml_files(mesh, folder))[::5]]
    rng, path, refused = random.Random(1), tmp_path / "x", 0
    for _ in range(600):
        path.write_bytes(damaged(rng.choice(seeds), rng))
        try:
            read_vtk(path)
        except FormatError:
            refused += 1
    assert refused > 300


@pytest.mark.parametrize(
    ("name", "bodies", "message"),
    [
        (
            "a.vtp",
            [equal()],
            "'equal' is a PropertyModel, which .vtp does not hold. Use .vti or .vtr or .vts or .vtk",
        ),
        ("a.vti", [sheet()], "'fault' is a Surface, which .vti does not hold. Use .vtp or .vtk"),
        (
            "a.vti",
            [equal(), equal()],
            "holds one model and there are 2: 'equal', 'equal'. Write one file for each",
        ),
        ("a.vti", [tensor()], "cells of 'Mödel' are 10 to 20 m along z, .vti needs equal ones. Use .vtr"),
        (
            "a.vtr",
            [replace(equal(), frame=Frame.rotated([0, 0, 0], 5))],
            "rotated or skewed, .vtr lies along x",
        ),
        ("a.vtr", [tilted()], "is rotated or skewed"),
        (
            "a.vti",
            [replace(tilted(), steps=np.array([[1, 0.5, 0], [0, 1, 0], [0, 0, 1.0]]))],
            "skewed, the axes of",
        ),
        ("a.vts", [replace(tilted(), steps=np.diag([1.0, 1, 0]))], "no step, so its cells have no size"),
        ("a.vtp", [replace(sheet(), vertices=sheet().vertices * np.nan)], r"point 0 of 'fault' is at \[nan"),
        ("a.vtp", [], "there is nothing to write to a.vtp"),
        ("a.foo", [sheet()], "'a.foo' has no suffix of VTK, which are .vtp, .vti"),
    ],
)
def test_what_vtk_cannot_hold_is_refused_and_nothing_is_written(name, bodies, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_vtk(tmp_path / name, bodies)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_said_by_python(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_vtk(tmp_path / "no" / "a.vtp", [sheet()])


def test_every_suffix_says_what_it_holds():
    assert set(SUFFIXES) == {".vtp", ".vti", ".vtr", ".vts", ".vtu", ".vtk"}
