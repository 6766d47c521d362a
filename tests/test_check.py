"""Each fault of a study's inputs is found and said, and a sound study is left alone."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mpm3d import check, checking, cube, inputs, io
from mpm3d import study as studies
from mpm3d.cli import app
from mpm3d.errors import StudyError
from mpm3d.geometry import Surface
from mpm3d.grid import Grid
from mpm3d.labels import Deposit
from mpm3d.lattice import PropertyModel, Raster
from tests.conftest import BUNDLED

X, Y = 500_000.0, 4_430_000.0
GRID = Grid.from_bounds((X, Y, -800, X + 1000, Y + 1000, 200), 50, "EPSG:32651")
STUDY = """
name = "sound"

[grid]
crs = "EPSG:32651"
spacing = 50.0
x = [500000.0, 501000.0]
y = [4430000.0, 4431000.0]
z = [-800.0, 200.0]

[topography]
file = "ground.ts"

[[layers]]
name = "granite_distance"
kind = "distance"
files = ["granite.ts"]
solid = true
units = "m"

[[layers]]
name = "density"
kind = "model"
file = "density.vo"
units = "g/cm3"

[[deposits]]
name = "A"
files = ["ore.ts"]
"""
FACES = np.array(
    [
        *([0, 2, 1], [1, 2, 3], [4, 5, 6], [5, 7, 6], [0, 1, 4], [1, 5, 4]),
        *([2, 6, 3], [3, 6, 7], [0, 4, 2], [2, 4, 6], [1, 3, 5], [3, 7, 5]),
    ]
)


def box(name: str, low: tuple[float, float, float], high: tuple[float, float, float]) -> Surface:
    """A closed box, x and y counted from the corner of the grid."""
    ends = np.array([low, high]) + np.array([X, Y, 0])
    corners = [(ends[i, 0], ends[j, 1], ends[k, 2]) for k in (0, 1) for j in (0, 1) for i in (0, 1)]
    return Surface(name, np.array(corners), FACES)


def ground(shift: float = 0.0, width: float = 1100.0) -> Surface:
    """A slope from 60 m in the west to 140 m in the east."""
    xy = np.array([[-100, -100], [width, -100], [-100, 1100], [width, 1100]])
    z = 60 + 80 * (xy[:, 0] + 100) / 1200 + shift
    return Surface("ground", np.column_stack([xy + np.array([X, Y]), z]), FACES[:2])


def density(*, air: bool = True) -> np.ndarray:
    """Smooth values of (z, y, x), missing in the air where asked for."""
    x, y, z = (GRID.points() - [X, Y, 0]).T
    rho = 2.7 + 0.2 * np.sin(x / 130) * np.cos(y / 170) + 0.1 * np.sin(z / 90)
    top = 60 + 80 * (x + 100) / 1200
    return np.where((z > top) & air, np.nan, rho).reshape(GRID.shape)


def voxet(path: Path, values: np.ndarray, grid: Grid = GRID) -> None:
    io.gocad.write_voxet(path, PropertyModel.from_grid(path.stem, grid, {path.stem: values}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound study."""
    (tmp_path / "study.toml").write_text(STUDY)
    io.gocad.write_surfaces(tmp_path / "ground.ts", [ground()])
    io.gocad.write_surfaces(tmp_path / "granite.ts", [box("granite", (300, 300, -700), (700, 700, -300))])
    io.gocad.write_surfaces(tmp_path / "ore.ts", [box("ore", (200, 200, -200), (380, 380, -80))])
    voxet(tmp_path / "density.vo", density())
    return tmp_path


def found(folder: Path) -> Mapping[str, str]:
    """Sentences by kind and owner, as ``kind of owner``."""
    done = checking.check_study(folder / "study.toml")
    return {f"{finding.kind} of {finding.about}": finding.text for finding in done.findings}


def more(folder: Path, text: str, old: str = "[[deposits]]") -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text().replace(old, text + old, 1))


def swap(folder: Path, old: str, new: str) -> None:
    path = folder / "study.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


LAYER = '[[layers]]\nname = "{0}"\nkind = "model"\nfile = "{0}.vo"\nunits = "{1}"\n\n'


def test_a_sound_study_has_no_warning_and_its_layers_are_in_numbers(folder: Path) -> None:
    done = checking.check_study(folder / "study.toml")
    assert done.findings == []
    rho = next(layer for layer in done.layers if layer.name == "density")
    assert (rho.low, rho.high) == pytest.approx((2.4, 3.0), abs=0.02)
    assert (rho.missing, rho.covered, rho.source) == (0, 1, "files")


@pytest.mark.slow
def test_the_bundled_district_has_nothing_that_it_should_not_have() -> None:
    done = checking.check_study(BUNDLED / "study.toml")
    assert [str(finding) for finding in done.findings] == []
    assert done.pairs == []
    assert len(done.layers) == 7


def test_layers_of_one_value_or_none_are_told(folder: Path) -> None:
    voxet(folder / "flat.vo", np.where(np.isnan(density()), np.nan, 3.0))
    voxet(folder / "void.vo", np.full(GRID.shape, np.nan))
    more(folder, LAYER.format("flat", "SI") + LAYER.format("void", "SI"))
    said = found(folder)
    assert set(said) == {"constant of layer 'flat'", "empty of layer 'void'"}
    assert "every cell has the same value, 3, so it tells nothing" in said["constant of layer 'flat'"]
    assert "no cell of the study volume has a value" in said["empty of layer 'void'"]


def test_a_distance_that_is_at_its_cutoff_everywhere_is_told(folder: Path) -> None:
    io.gocad.write_surfaces(folder / "granite.ts", [box("granite", (300, 300, -99_700), (700, 700, -99_300))])
    assert "every cell is at the cutoff of 2000 m" in found(folder)["constant of layer 'granite_distance'"]


def test_copies_and_layers_that_go_together_are_told(folder: Path) -> None:
    voxet(folder / "copy.vo", density())
    voxet(folder / "cubed.vo", -((density() - 2) ** 3))
    more(folder, LAYER.format("copy", "g/cm3") + LAYER.format("cubed", "SI"))
    done = checking.check_study(folder / "study.toml")
    said = {finding.about: finding for finding in done.findings}
    assert said["layers 'density' and 'copy'"].kind == "duplicate"
    assert said["layers 'density' and 'cubed'"].kind == "correlated"
    pair = next(one for one in done.pairs if one.second == "cubed" and one.first == "density")
    assert pair.spearman == pytest.approx(-1), "a falling function has the opposite ranks"
    assert -1 < pair.pearson < -0.9


@pytest.mark.parametrize("code", [-9999.0, -99999.0, 1e30, -100.0])
def test_codes_for_missing_values_that_were_left_in_are_told(folder: Path, code: float) -> None:
    values = density()
    values[3:5, 4:8, 2:6] = code
    voxet(folder / "density.vo", values)
    said = found(folder)["sentinel of layer 'density'"]
    assert f"the value {np.float32(code):g} occurs 32 times" in said
    assert "no-data value" in said


def test_numbers_in_the_range_of_the_others_are_no_codes() -> None:
    assert check.sentinels(np.linspace(-120, 40, 1601)) == []
    assert check.sentinels(np.array([-9999.0, 1, 2]), declared=[-9999.0]) == []
    assert check.sentinels(np.array([np.nan, -9999.0, -99999.0, 1, 2])) == [(-99999.0, 1), (-9999.0, 1)]
    assert check.sentinels(np.array([])) == []


def test_a_model_smaller_than_the_volume_is_told_with_what_it_costs(folder: Path) -> None:
    part = GRID.window((slice(0, 20), slice(0, 20), slice(0, 10)))
    voxet(folder / "density.vo", density()[:, :, :10], part)
    said = found(folder)
    assert set(said) == {"missing of layer 'density'"}
    known = np.isfinite(density())
    share = known[:, :, 10:].sum() / known.sum()
    text = said["missing of layer 'density'"]
    assert f"{share:.0%} of the study volume has no value, and such cells get no score" in text
    assert f"Its extent covers {1 - share:.0%} of the volume" in text
    swap(folder, "[[deposits]]", "[predict]\nmax_missing = 1\n\n[[deposits]]")
    assert "a score only if they lack no more than 1 layer." in found(folder)["missing of layer 'density'"]


@pytest.mark.parametrize(
    ("kind", "move", "words"),
    [
        ("feet", lambda v: v / 0.3048, "look like feet"),
        ("kilometres", lambda v: v / 1000, "look like kilometres"),
        ("swapped", lambda v: v[:, [1, 0, 2]], "easting and northing seem to be swapped"),
        ("degrees", lambda v: np.array([123, 40, 0]) + v * [1e-9, 1e-9, 1], "look like degrees"),
        ("outside", lambda v: v + np.array([50_000, 0, 0]), "Check its coordinate system"),
    ],
)
def test_bodies_beside_the_grid_are_told_with_the_likely_reason(
    folder: Path, kind: str, move: Callable[[np.ndarray], np.ndarray], words: str
) -> None:
    body = box("granite", (300, 300, -700), (700, 700, -300))
    moved = move(body.vertices)
    beside = tuple(check.of_place("layer 'g'", (*moved.min(axis=0), *moved.max(axis=0)), GRID))
    assert [one.kind for one in beside] == [kind]
    assert words.lower() in beside[0].text.lower()
    if kind == "outside":
        io.gocad.write_surfaces(folder / "granite.ts", [replace(body, vertices=moved)])
        assert set(found(folder)) == {"outside of layer 'granite_distance'"}


def test_a_body_whose_depths_were_taken_as_elevations_is_told(folder: Path) -> None:
    io.gocad.write_surfaces(folder / "granite.ts", [box("granite", (300, 300, 300), (700, 700, 700))])
    said = found(folder)
    assert set(said) == {"above_ground of layer 'granite_distance'"}
    assert "its z seems to be depth" in said["above_ground of layer 'granite_distance'"]


def test_a_topography_far_below_the_bodies_is_told(folder: Path) -> None:
    io.gocad.write_surfaces(folder / "ground.ts", [ground(-870)])
    said = found(folder)
    for name in ("layer 'granite_distance'", "deposit 'A'"):
        assert "100% of it lies above the ground" in said[f"above_ground of {name}"]
        assert "Check the topography" in said[f"above_ground of {name}"]
    assert "100% of its cells are outside the study volume" in said["deposit_outside of deposit 'A'"]


def test_a_model_turned_upside_down_is_told(folder: Path) -> None:
    # a model that ends just above the highest ground, and is missing in the air, stored the other way round
    voxet(folder / "density.vo", density()[::-1])
    assert "turned upside down it fits the topography" in found(folder)["upside_down of layer 'density'"]


def test_a_model_of_depths_above_the_ground_is_told(folder: Path) -> None:
    high = Grid.from_bounds((X, Y, -200, X + 1000, Y + 1000, 800), 50, "EPSG:32651")
    voxet(folder / "density.vo", density(air=False)[::-1], high)
    said = found(folder)["above_ground of layer 'density'"]
    assert "its z seems to be depth" in said


def test_doubtful_units_are_told(folder: Path) -> None:
    voxet(folder / "density.vo", density() * 1000)
    more(folder, LAYER.format("density", "?").replace('name = "density"', 'name = "again"'))
    said = found(folder)
    assert "too much for rocks in g/cm3" in said["units of layer 'density'"]
    assert 'units = "?" says nothing' in said["units of layer 'again'"]
    made = check.report("rho", "kg/m3", np.array([2.6, 2.8]), source="files")
    assert [one.kind for one in check.of_values(made)] == ["constant", "units"][1:]


@pytest.mark.parametrize(
    ("name", "differs"),
    [
        ("EPSG:32651", False), ("EPSG:26912", True), ("UTM Zone 51N", False), ("UTMZone51", False),
        ("UTM zone 12", True), ("WGS84_UTM51S", True), ("Default", False), ("", False),
    ],
)  # fmt: skip
def test_coordinate_systems_in_files_are_compared_with_the_study(name: str, differs: bool) -> None:
    said = list(check.of_crs("layer 'x'", name, "EPSG:32651"))
    assert bool(said) == differs
    if differs:
        assert "the study is in 'WGS 84 / UTM zone 51N' (EPSG:32651)" in said[0].text


def test_the_coordinate_system_of_a_gocad_file_is_looked_at(folder: Path) -> None:
    path = folder / "granite.ts"
    text = path.read_text().splitlines()
    system = ["GOCAD_ORIGINAL_COORDINATE_SYSTEM", 'NAME "UTM Zone 12N"', "END_ORIGINAL_COORDINATE_SYSTEM"]
    start = next(i for i, line in enumerate(text) if line.startswith("TFACE"))
    text = (
        [line for line in text[:start] if "COORDINATE_SYSTEM" not in line and "NAME " not in line]
        + system
        + text[start:]
    )
    path.write_text("\n".join(text) + "\n")
    assert "names the coordinate system 'UTM Zone 12N'" in found(folder)["crs of layer 'granite_distance'"]


def test_a_grid_in_degrees_or_feet_is_told() -> None:
    for crs, unit in (("EPSG:4326", "degree"), ("EPSG:2225", "US survey foot")):
        said = list(check.of_grid(replace(GRID, crs=crs), None))
        assert f"counts in {unit}" in said[0].text


def test_ground_that_is_too_small_too_high_or_too_low_is_told(folder: Path) -> None:
    io.gocad.write_surfaces(folder / "ground.ts", [ground(width=500)])
    assert "does not cover 50% of the map" in found(folder)["ground of topography"]
    flat = np.full((4, 4), 300.0)
    assert "above the top of the grid (200 m) in 100%" in next(check.of_grid(GRID, flat)).text
    assert "below the bottom of the grid (-800 m)" in next(check.of_grid(GRID, flat - 2000)).text


def test_deposits_of_few_cells_in_the_air_or_beside_the_grid_are_told(folder: Path) -> None:
    io.gocad.write_surfaces(folder / "ore.ts", [box("ore", (210, 210, -90), (240, 240, -60))])
    assert "it has 1 cell only" in found(folder)["few_cells of deposit 'A'"]
    io.gocad.write_surfaces(folder / "ore.ts", [box("ore", (-400, 200, -300), (200, 400, -100))])
    assert "of it lies outside the grid" in found(folder)["deposit_outside of deposit 'A'"]
    cells = np.argwhere(np.ones((3, 3, 3)))
    said = list(check.of_deposit(Deposit("B", cells), cells[:, 0] < 2, 0.0))
    assert "33% of its cells are outside the study volume" in said[0].text
    assert "it has no cell" in next(check.of_deposit(Deposit("B", cells[:0]), np.empty(0, bool), 0.0)).text


def test_deposits_that_share_cells_are_told(folder: Path) -> None:
    more(folder, '[[deposits]]\nname = "B"\nfiles = ["ore.ts"]\n\n')
    assert "deposits 'B' and 'A' share" in found(folder)["deposits of deposits"]


def test_hashes_of_data_from_elsewhere_are_compared_and_missing_ones_told(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("elsewhere")
    shutil.move(folder / "granite.ts", other / "granite.ts")
    place = (other / "granite.ts").as_posix()
    swap(folder, '"granite.ts"', f'"{place}"')
    assert "granite.ts lie outside the study's folder" in found(folder)["no_hash of sources"]
    digest = hashlib.sha256((other / "granite.ts").read_bytes()).hexdigest()
    source = f'\n[[sources]]\nfile = "{place}"\nrepository = "https://example.org"\nsha256 = "{digest}"\n'
    path = folder / "study.toml"
    path.write_text(path.read_text() + source)
    assert found(folder) == {}
    (other / "granite.ts.gz").write_bytes(gzip.compress((other / "granite.ts").read_bytes()))
    (other / "granite.ts").unlink()
    assert found(folder) == {}, "the hash is that of the text"
    path.write_text(path.read_text().replace(digest, "0" * 64))
    assert "its SHA-256 is" in found(folder)["study of study.toml"]


def test_everything_wrong_is_said_at_once_with_what_can_be_read(folder: Path) -> None:
    (folder / "ore.ts").unlink()
    (folder / "broken.vo").write_text("GOCAD Voxet 1\nAXIS_N 3\nEND\n")
    io.gocad.write_surfaces(folder / "granite.ts", [box("granite", (300, 300, 300), (700, 700, 700))])
    more(folder, LAYER.format("broken", "SI") + LAYER.format("density", "m").replace("units", "unit"))
    done = checking.check_study(folder / "study.toml")
    said = "\n".join(map(str, done.findings))
    assert "'ore.ts' does not exist" in said
    assert "'units' is missing in [layers 'density']" in said
    assert "layer 'broken': broken.vo, line 2" in said
    assert "its z seems to be depth" in said
    assert {layer.name for layer in done.layers} == {"granite_distance", "density"}


def test_a_study_of_which_nothing_is_left_still_says_why(folder: Path) -> None:
    swap(folder, 'crs = "EPSG:32651"', 'crs = "EPSG:99999999"')
    done = checking.check_study(folder / "study.toml")
    assert "is not a coordinate reference system" in done.findings[0].text
    with pytest.raises(StudyError, match="is not a file"):
        checking.check_study(folder / "nothing.toml")


def test_the_cube_is_looked_at_where_it_is_built_from_the_files_as_they_are(folder: Path) -> None:
    loaded = studies.load(folder / "study.toml")
    place = loaded.run_folder / "cube.zarr"
    cube.create(place, GRID, chunk=(8, 8, 8), attrs={"frame": "f"})
    top = inputs.ground(loaded, GRID, print)
    from mpm3d import topography

    cube.set_study_volume(place, lambda part: topography.below(part, top))
    for layer in loaded.layers:
        fill, _ = inputs.filler(loaded, layer, print)
        about = {"recipe": inputs.recipe(loaded, layer, "f")}
        cube.add_layer(place, layer.name, fill, units=layer.units, long_name="x", attrs=about)
    done = checking.check_study(folder / "study.toml")
    assert [layer.source for layer in done.layers] == ["cube", "cube"]
    assert done.findings == []
    voxet(folder / "density.vo", density() + 0.1)
    stale = checking.check_study(folder / "study.toml")
    assert [layer.source for layer in stale.layers] == ["files", "files"]


def test_samples_are_cells_of_the_grid_spread_over_all_of_it() -> None:
    whole = Grid.from_bounds((0, 0, -1000, 4000, 4000, 0), 10, "EPSG:32651")
    some = check.sample_of(whole)
    assert 10_000 < some.n_cells <= 20_000
    cells = whole.index_of(some.points())
    np.testing.assert_allclose(whole.xyz_of(cells), some.points(), atol=1e-6)
    assert check.sample_of(GRID, 8000) == GRID


HOLES = {
    "collar.csv": "BHID,EAST,NORTH,RL,EOH\nA,500225,4430225,{rl},200\n",
    "assay.csv": "BHID,FROM,TO,AU\nA,0,50,1\nA,50,100,{low}\nA,100,200,4\n",
}
BORED = """[[layers]]
name = "gold"
kind = "boreholes"
collar = "collar.csv"
intervals = "assay.csv"
assay = "AU"
units = "g/t"

"""


def test_boreholes_are_looked_at_too(folder: Path) -> None:
    more(folder, BORED)
    (folder / "collar.csv").write_text(HOLES["collar.csv"].format(rl=300))
    (folder / "assay.csv").write_text(HOLES["assay.csv"].format(low=-0.005))
    said = found(folder)
    assert "the collars lie 2" in said["collars of layer 'gold'"]
    assert "1 values of AU are below 0 (down to -0.005)" in said["negative of layer 'gold'"]
    assert "empty of layer 'gold'" in said, "all of the hole is in the air"
    (folder / "collar.csv").write_text(HOLES["collar.csv"].format(rl=82))
    said = found(folder)
    assert set(said) == {"negative of layer 'gold'", "missing of layer 'gold'"}
    assert "100% of the study volume has no value" in said["missing of layer 'gold'"]
    assert "Give a radius or a larger one" in said["missing of layer 'gold'"]
    swap(
        folder,
        'files = ["ore.ts"]',
        'collar = "collar.csv"\nintervals = "assay.csv"\nassay = "AU"\ncutoff = 2',
    )
    assert "a model reads the answer off this layer" in found(folder)["leak of layer 'gold'"]


def test_rasters_are_looked_at_where_they_are_projected_to(folder: Path) -> None:
    x, y = GRID.centres(2), GRID.centres(1)
    values = np.sin(np.arange(20.0))[:, None] + np.cos(np.arange(20.0) ** 1.5)
    io.raster.write_geotiff(folder / "mag.tif", Raster("mag", y, x, {"mag": values}), crs="EPSG:32651")
    raster = '[[layers]]\nname = "mag"\nkind = "raster"\nfile = "mag.tif"\nunits = "nT"\n\n'
    more(folder, raster)
    assert found(folder) == {}
    values[2, 3] = -9999
    io.raster.write_geotiff(folder / "mag.tif", Raster("mag", y, x, {"mag": values}), crs="EPSG:32650")
    said = found(folder)
    assert set(said) == {"sentinel of layer 'mag'", "outside of layer 'mag'"}
    assert "gdal_edit -a_nodata -9999" in said["sentinel of layer 'mag'"]
    swap(folder, 'units = "nT"', 'units = "nT"\ncrs = "EPSG:32651"')
    named = found(folder)["crs of layer 'mag'"]
    assert "names the coordinate system 'WGS 84 / UTM zone 50N'" in named
    assert "The study has it so for this layer (crs), which counts" in named


def test_a_topography_that_cannot_be_used_is_told_and_the_rest_still_looked_at(folder: Path) -> None:
    heights = Raster("ground", GRID.centres(1), GRID.centres(2), {"ground": np.full((20, 20), 100.0)})
    io.raster.write_geotiff(folder / "ground.tif", heights, crs="EPSG:32650")
    swap(folder, "ground.ts", "ground.tif")
    done = checking.check_study(folder / "study.toml")
    said = str(done.findings[0])
    assert "topography 'ground.tif': ground.tif is in EPSG:32650, the grid in EPSG:32651" in said
    assert len(done.layers) == 2


def test_the_verb_prints_text_or_json_and_fails_only_where_it_is_strict(folder: Path) -> None:
    run, path = CliRunner().invoke, str(folder / "study.toml")
    sound = run(app, ["check", path, "--strict"])
    assert sound.exit_code == 0
    assert "no warnings." in sound.output
    io.gocad.write_surfaces(folder / "granite.ts", [box("granite", (300, 300, 300), (700, 700, 700))])
    assert run(app, ["check", path]).exit_code == 0
    strict = run(app, ["check", path, "--strict"])
    assert strict.exit_code == 1
    assert "1 warning:" in strict.output
    assert "layer 'granite_distance'" in strict.output
    as_json = json.loads(run(app, ["check", path, "--json"]).output)
    assert as_json["n_findings"] == 1
    assert as_json["findings"][0]["kind"] == "above_ground"
    assert {layer["name"] for layer in as_json["layers"]} == {"granite_distance", "density"}
    missing = run(app, ["check", str(folder / "nothing.toml")])
    assert missing.exit_code == 1
    assert "is not a file" in missing.output
