from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from mpm3d import study
from mpm3d.errors import StudyError

BOX = [
    *("VRTX 1 100 100 -100", "VRTX 2 200 100 -100", "VRTX 3 100 200 -100", "VRTX 4 100 100 -200"),
    *("TRGL 1 3 2", "TRGL 1 2 4", "TRGL 2 3 4", "TRGL 3 1 4"),
]
GOOD = """
name = "small"
[grid]
crs = "EPSG:32651"
x = [0, 500]
y = [0, 500]
z = [-500, 0]
[[layers]]
name = "fault_distance"
kind = "distance"
files = ["body.ts"]
units = "m"
[[deposits]]
name = "A"
files = ["body.ts"]
"""


def surface_text(shift: float = 0.0) -> str:
    lines = ["GOCAD TSurf 1", "HEADER {", "name:body", "}", "TFACE"]
    for line in BOX:
        words = line.split()
        if words[0] == "VRTX":
            words[2] = str(float(words[2]) + shift)
        lines.append(" ".join(words))
    return "\n".join([*lines, "END", ""])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "body.ts").write_text(surface_text())
    return tmp_path


def problems(folder: Path, text: str) -> list[str]:
    (folder / "study.toml").write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        study.load(folder / "study.toml")
    return list(caught.value.problems)


def test_a_good_study_is_read_with_defaults(folder: Path) -> None:
    (folder / "study.toml").write_text(GOOD)
    loaded = study.load(folder / "study.toml")
    assert loaded.grid.grid().shape == (10, 10, 10)
    assert loaded.samples.stand_off == 800
    assert loaded.models[0].kind == "forest"
    assert loaded.run_folder == folder / "runs" / "small"
    assert study.load(folder / "study.toml", runs=folder / "else").run_folder == folder / "else" / "small"


def test_spacing_is_given_along_x_y_z(folder: Path) -> None:
    (folder / "study.toml").write_text(
        GOOD.replace("z = [-500, 0]", "z = [-500, 0]\nspacing = [100, 50, 25]")
    )
    assert study.load(folder / "study.toml").grid.grid().spacing == (25, 50, 100)


def test_the_template_names_every_table_and_only_known_keys(folder: Path) -> None:
    found = problems(folder, study.template())
    assert found
    assert all("does not exist. Check the path" in problem for problem in found)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('units = "m"', 'units = "m"\ncutof = 9', "'cutof' is not a key in [layers 'fault_distance'] (value 9). Did you mean 'cutoff'?"),
        ('units = "m"', "", "'units' is missing in [layers 'fault_distance']. Give units, such as units = \"m\"."),
        ('crs = "EPSG:32651"', "", "'crs' is missing in [grid]. Give the EPSG code, such as \"EPSG:32651\"."),
        ('crs = "EPSG:32651"', 'crs = "UTM 51"', "crs = 'UTM 51' in [grid]: 'UTM 51' is not a coordinate reference system. Use a code such as 'EPSG:32651'."),
        ('files = ["body.ts"]\nunits', 'files = ["no.ts"]\nunits', "'fault_distance': files = 'no.ts' does not exist. Check the path, it is relative to study.toml."),
        ('kind = "distance"', 'kind = "distanse"', "kind = 'distanse' in [layers 'fault_distance'] is not known. Use one of 'distance', 'inside', 'ubc', 'voxet', 'model', 'raster', 'boreholes'."),
        ('kind = "distance"', "", "'kind' is missing in [layers 'fault_distance']. Add it."),
        ("x = [0, 500]", "x = [0, 510]", "[grid]: x from 0 to 510 m is 10.2 cells of 50 m, a whole number is needed. 0 to 500 would be one."),
        ('name = "A"\nfiles = ["body.ts"]', 'name = "A"', "deposit 'A' needs one of files, points and intervals, it has 0."),
        ('name = "small"', 'name = "small"\nsead = 3', "'sead' is not a key (value 3). Did you mean 'seed'?"),
        ('name = "small"', 'name = "small"\nnote = "${NO_SUCH_FOLDER}"', "the variable NO_SUCH_FOLDER is not set, note = '${NO_SUCH_FOLDER}' needs it. Set it to the folder that holds the data."),
        ('name = "A"', 'name = "A"\nblind = true', "every deposit is blind, so nothing is left to learn from. Set blind = false on some."),
        ('name = "small"', 'name = "a/b"', "name = 'a/b': string should match pattern '^[A-Za-z0-9][A-Za-z0-9_.-]*$'."),
    ],
)  # fmt: skip
def test_each_mistake_gets_one_sentence(folder: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    assert problems(folder, GOOD.replace(old, new)) == [message]


def test_a_variable_that_many_keys_need_is_told_once(folder: Path) -> None:
    text = GOOD.replace("body.ts", "${NO_SUCH_FOLDER}/body.ts")
    assert problems(folder, text) == [
        "the variable NO_SUCH_FOLDER is not set, layers[0].files[0] = '${NO_SUCH_FOLDER}/body.ts' and 1 more need "
        "it. Set it to the folder that holds the data."
    ]


def test_all_problems_are_said_at_once(folder: Path) -> None:
    text = GOOD.replace('units = "m"', 'unit = "m"').replace('crs = "EPSG:32651"', "")
    text += '\n[[deposits]]\nname = "B"\nfiles = ["lost.ts"]\n[predict]\nblok = [1, 1, 1]\n'
    found = " ".join(problems(folder, text))
    for part in (
        "'unit' is not a key",
        "'units' is missing",
        "'crs' is missing",
        "'lost.ts' does not exist",
        "'blok'",
    ):
        assert part in found


def test_a_deposit_outside_the_grid_is_told_with_both_extents(folder: Path) -> None:
    (folder / "body.ts").write_text(surface_text(shift=5000))
    (found,) = problems(folder, GOOD)
    assert found.startswith("deposit 'A' lies outside the grid: it spans x 5100 to 5200")
    assert "the grid x 0 to 500" in found


def test_names_must_differ(folder: Path) -> None:
    layer = GOOD[GOOD.index("[[layers]]") : GOOD.index("[[deposits]]")]
    twice = 'models = [{kind = "forest"}, {kind = "forest"}]\n' + GOOD + layer
    assert problems(folder, twice) == [
        "two layers are called 'fault_distance'. Names must differ.",
        "[[models]] names 'forest' 2 times. Name each kind once.",
    ]


def test_a_source_is_checked_by_its_content_and_says_where_to_get_it(folder: Path) -> None:
    digest = hashlib.sha256(surface_text().encode()).hexdigest()
    source = f'[[sources]]\nfile = "body.ts"\nsha256 = "{digest}"\nrepository = "https://example.org/r"\ncommit = "c1"\n'
    (folder / "study.toml").write_text(GOOD + source)
    study.load(folder / "study.toml")
    (folder / "body.ts").unlink()
    with gzip.open(folder / "body.ts.gz", "wt") as stream:
        stream.write(surface_text())
    study.load(folder / "study.toml")  # the gzipped twin, with the hash of the text
    with gzip.open(folder / "body.ts.gz", "wt") as stream:
        stream.write(surface_text() + "# changed\n")
    (changed,) = problems(folder, GOOD + source)
    assert changed.startswith("'body.ts' is not the file of https://example.org/r: its SHA-256 is ")
    (folder / "body.ts.gz").unlink()
    missing = problems(folder, GOOD + source)
    assert "Get it from https://example.org/r, commit c1, body.ts." in missing[0]


def test_a_file_that_is_no_study_is_told(folder: Path) -> None:
    with pytest.raises(StudyError, match=r"none.toml is not a file. `mpm3d init"):
        study.load(folder / "none.toml")
    assert problems(folder, "name = ")[0].startswith("study.toml is not TOML: ")
    assert problems(folder, 'folder = "x"\n' + GOOD) == ["'folder' is not a key of study.toml. Remove it."]


def test_the_study_of_the_readme_needs_nothing_but_its_files(folder: Path) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    text = readme.split("```toml\n")[1].split("```")[0]
    assert all("does not exist" in problem for problem in problems(folder, text))
    text = text.replace(
        "x = [500000, 505000], y = [4430000, 4435000], z = [-4600, 400]",
        "x = [0, 500], y = [0, 500], z = [-500, 0]",
    )
    for name in ("granite", "faults", "topography", "north", "south"):
        (folder / f"{name}.ts").write_text(surface_text())
    for name in ("mesh.msh", "density.den"):
        (folder / name).write_text("")
    (folder / "study.toml").write_text(text)
    assert study.load(folder / "study.toml").models[0].kind == "dl4"
