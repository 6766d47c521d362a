"""The cube of a study: which layers are computed again, and what is said about why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from mpm3d import building, cube, study
from mpm3d.errors import StudyError
from mpm3d.run import RunFolder
from mpm3d.work import Run
from tests.conftest import small_study


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two surfaces and one model of the bundled district on 250 m cells."""
    place = small_study(tmp_path)
    text = place.read_text(encoding="utf-8").replace("spacing = 200.0", "spacing = [250.0, 250.0, 200.0]")
    tables = text.split("[[layers]]")
    rest = tables[-1][tables[-1].index("[[deposits]]") :]
    chosen = [one for one in tables[1:] if any(f'name = "{name}"' in one for name in NAMES)]
    chosen[-1] = chosen[-1].split("[[deposits]]")[0]
    place.write_text("[[layers]]".join([tables[0], *chosen]) + rest, encoding="utf-8")
    return place


NAMES = ("dyke_distance", "granodiorite_distance", "density")


def built(path: Path, *, overwrite: bool = False) -> tuple[Run, str]:
    said: list[str] = []
    loaded = study.load(path)
    run = Run(loaded, RunFolder(loaded.run_folder, overwrite=overwrite), say=said.append)
    with run.folder.locked():
        building.build(run)
    return run, "\n".join(line for line in said if "vertices" not in line)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def hashes(run: Run) -> dict[str, str]:
    ds = cube.open(run.path("cube.zarr"))
    return {name: ds[name].attrs["layer_hash"] for name in cube.layers_of(ds)}


def test_a_first_cube_is_made_without_reasons_and_a_second_is_used_as_it_is(path: Path) -> None:
    run, said = built(path)
    assert set(hashes(run)) == set(NAMES)
    assert "stale" not in said
    assert "not in the cube yet" not in said
    assert "cube: 3 layers on" in said
    assert built(path)[1] == "cube: nothing has changed, used as it is."


def test_a_changed_file_refreshes_its_layer_and_names_itself(path: Path) -> None:
    before = hashes(built(path)[0])
    dykes = path.parent / "surfaces" / "dykes.ts"
    was = study.sha256(dykes)
    dykes.write_text(dykes.read_text().split("\nEND\n")[0] + "\nEND\n")  # the first dyke only
    run, said = built(path)
    now = study.sha256(dykes)
    assert (
        f"layer dyke_distance is stale, dykes.ts has changed (SHA-256 {was[:12]}…, now {now[:12]}…). "
        "It is computed." in said
    )
    assert "1 computed now, 2 used as they are" in said
    after = hashes(run)
    assert {name for name in NAMES if before[name] != after[name]} == {"dyke_distance"}


def test_a_changed_setting_refreshes_its_layer_and_a_new_look_does_not(path: Path) -> None:
    built(path)
    look = 'long_name = "Distance to the nearest dyke, 0 inside"'
    change(path, 'cutoff = 2000.0\nunits = "m"\nrole = "dyke"', 'cutoff = 900.0\nunits = "m"\nrole = "dyke"')
    change(path, look, 'long_name = "dykes"')
    run, said = built(path)
    assert "layer dyke_distance is stale, cutoff was 2000.0 and is 900.0. It is computed." in said
    assert float(cube.open(run.path("cube.zarr"))["dyke_distance"].max()) == 900
    change(path, 'long_name = "dykes"', 'long_name = "all dykes"')
    assert built(path)[1] == "cube: nothing has changed, used as it is."


def test_a_layer_can_be_added_and_one_that_left_the_study_is_kept(path: Path) -> None:
    before = hashes(built(path)[0])
    change(path, 'name = "dyke_distance"', 'name = "swarm_distance"')
    run, said = built(path)
    assert "layer swarm_distance is not in the cube yet. It is computed." in said
    assert "layer dyke_distance is in the cube and no longer in the study. It is kept and not used" in said
    assert {name: hashes(run)[name] for name in before} == before


def test_another_frame_makes_the_whole_cube_again_and_says_which(path: Path) -> None:
    built(path)
    change(path, "spacing = [250.0, 250.0, 200.0]", "spacing = [500.0, 500.0, 200.0]")
    assert "cube: made again with all its layers, because the grid changed." in built(path)[1]
    assert "cube: made again with all its layers, as --overwrite asks for." in built(path, overwrite=True)[1]
    run = built(path)[0]
    zarr.open_group(run.path("cube.zarr"), mode="r+").attrs.update({"frame": "old", "frame_facts": "?"})
    run.path("run.json").unlink()
    assert "because another version of mpm3d made it" in built(path)[1]


def test_a_cube_without_its_reasons_still_refreshes(path: Path) -> None:
    run = built(path)[0]
    store = zarr.open_group(run.path("cube.zarr"), mode="r+")
    store["density"].attrs.update({"recipe": "of an older version"})
    run.path("run.json").unlink()
    said = built(path)[1]
    assert "layer density is stale, its files or settings have changed. It is computed." in said


def test_shards_of_the_study_are_those_of_the_store(path: Path) -> None:
    plain = hashes(built(path)[0])
    change(path, "[topography]", "[cube]\nshards = [50, 50, 50]\n\n[topography]")
    run, said = built(path)
    assert "because the shards changed" in said
    ds = cube.open(run.path("cube.zarr"))
    assert cube.shard_of(ds) == cube.chunk_of(ds) == run.grid.shape
    assert hashes(run) == plain
    assert zarr.open_group(run.path("cube.zarr"), mode="r")["density"].shards == run.grid.shape


def test_an_error_of_a_layer_names_it_and_keeps_the_finished_ones(path: Path) -> None:
    text = (path.parent / "surfaces" / "dykes.ts").read_text()
    rows = text.splitlines()
    first = next(k for k, row in enumerate(rows) if row.startswith("TRGL"))
    (path.parent / "surfaces" / "dykes.ts").write_text("\n".join(rows[:first] + rows[first + 1 :]) + "\n")
    with pytest.raises(StudyError, match=r"layer 'dyke_distance': surface '.*' is not closed"):
        built(path)
    (path.parent / "surfaces" / "dykes.ts").write_text(text)
    run, said = built(path)
    assert set(hashes(run)) == set(NAMES)
    assert "layer dyke_distance is not in the cube yet. It is computed." in said
    assert np.isfinite(cube.open(run.path("cube.zarr"))["dyke_distance"].values).any()


@pytest.mark.parametrize("kind", ["folder", "file", "memory"])
def test_the_cube_lies_where_the_study_says_and_equals_one_in_the_run_folder(path: Path, kind: str) -> None:
    expected = hashes(built(path)[0])
    store = {
        "folder": "elsewhere/cube.zarr",
        "file": (path.parent / "elsewhere" / "cube.zarr").as_uri(),
        "memory": f"memory://{path.parent.name}/cube.zarr",
    }[kind]
    change(path, "[topography]", f'[cube]\nstore = "{store}"\n\n[topography]')
    run, said = built(path)
    assert "cube: 3 layers on" in said
    ds = cube.open(run.study.cube_place)
    assert {name: ds[name].attrs["layer_hash"] for name in cube.layers_of(ds)} == expected
    assert (path.parent / "elsewhere" / "cube.zarr").is_dir() == (kind != "memory")
    assert built(path)[1] == "cube: nothing has changed, used as it is."
    assert "made again with all its layers, as --overwrite asks for" in built(path, overwrite=True)[1]


def test_a_cube_whose_frame_was_not_finished_is_made_again(path: Path) -> None:
    change(path, "[topography]", f'[cube]\nstore = "memory://half_{path.parent.name}"\n\n[topography]')
    run, _ = built(path)
    store = zarr.open_group(run.study.cube_place, mode="r+")
    for name in ("frame", "frame_facts"):  # as a kill before the last step leaves it
        del store.attrs[name]
    run.path("run.json").unlink()
    assert "cube: made again with all its layers, because it is not finished." in built(path)[1]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("what", ["no cube", "an array", "a cube of Python", "a cube of another study"])
def test_a_store_that_is_not_this_study_s_is_left_alone(path: Path, what: str, overwrite: bool) -> None:
    place = path.parent / "mine.zarr"
    grid = study.load(path).grid.grid()
    if what == "no cube":
        zarr.create_group(place, attributes={"mine": 1})
    elif what == "an array":
        zarr.create_array(place, shape=(2,), dtype="i4", attributes={"mine": 1})
    else:
        owner = {} if what == "a cube of Python" else {"made_for_study": "another", "frame": "x"}
        cube.create(place, grid, attrs={"mine": 1, **owner})
    change(path, "[topography]", '[cube]\nstore = "mine.zarr"\n\n[topography]')
    with pytest.raises(StudyError, match="was not made for the study 'wulong_like', so it is left as it is"):
        built(path, overwrite=overwrite)
    assert zarr.open(place).attrs["mine"] == 1
