from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path
from typing import Any

import geopandas
import pyproj
import pytest
import shapely

from mpm3d import models, study
from mpm3d.errors import StudyError
from mpm3d.study.models import MODELS

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
        ('crs = "EPSG:32651"', 'crs = "EPSG:4326"', "crs = 'EPSG:4326' in [grid]: its coordinates are in degrees, and cells, distances and buffers in metres. Name a projected system in metres, such as that of a UTM zone ('EPSG:32651'), and give x and y in it; files may stay in their own."),
        ('crs = "EPSG:32651"', 'crs = "EPSG:2263"', "crs = 'EPSG:2263' in [grid]: its coordinates are in US survey feet, and cells, distances and buffers in metres. Name a projected system in metres, such as that of a UTM zone ('EPSG:32651'), and give x and y in it; files may stay in their own."),
        ('files = ["body.ts"]\nunits', 'files = ["no.ts"]\nunits', "'fault_distance': files = 'no.ts' does not exist. Check the path, it is relative to study.toml."),
        ('kind = "distance"', 'kind = "distanse"', "kind = 'distanse' in [layers 'fault_distance'] is not known. Use one of 'distance', 'inside', 'ubc', 'voxet', 'model', 'raster', 'bands', 'boreholes', 'vector', 'assays'."),
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


KINDS = "'forest', 'boosting', 'logistic', 'weights', 'pu', 'dl1', 'dl2', 'dl3', 'dl4', 'cbam', 'devnet'"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ('kind = "forrest"', f"kind = 'forrest' in [models 'forrest'] is not known. Use one of {KINDS}."),
        ('kind = "forest", tree = 9', "'tree' is not a key in [models 'forest'] (value 9). Did you mean 'trees'?"),
        ('kind = "forest", patch = 2', "patch = 2 in [models 'forest']: a patch has a cell in its middle, so an odd number such as 1 or 3 is needed."),
        ('kind = "forest", search = -1', "search = -1 in [models 'forest']: input should be greater than or equal to 0."),
        ('kind = "boosting", depth = 7', "depth = 7 in [models 'boosting']: input should be less than or equal to 6."),
        ('kind = "boosting", monotone = { fault_distance = "down" }', "fault_distance = 'down' in [models 'boosting', monotone]: input should be 'increasing' or 'decreasing'."),
        ('kind = "boosting", monotone = { fault_distanse = "decreasing" }', "monotone in [models 'boosting'] names 'fault_distanse', the study has no such layer. Did you mean 'fault_distance'?"),
        ('kind = "boosting", monotone = { gold = "increasing" }', "monotone in [models 'boosting'] names 'gold', the study has no such layer. It has fault_distance."),
        ('kind = "logistic", shrinkage = 0', "shrinkage = 0 in [models 'logistic']: input should be greater than 0."),
        ('kind = "weights", bins = 1', "bins = 1 in [models 'weights']: input should be greater than or equal to 2."),
        ('kind = "weights", prior = 1.0', "prior = 1.0 in [models 'weights']: input should be less than 1."),
        ('kind = "pu", base = "svm"', "kind = 'svm' in [models 'pu', base] is not known. Use one of 'forest', 'boosting', 'logistic', 'weights', 'dl1', 'dl2', 'dl3', 'dl4', 'cbam', 'devnet'."),
        ('kind = "pu", base = { kind = "forest", dept = 3 }', "'dept' is not a key in [models 'pu', base] (value 3). Did you mean 'depth'?"),
        ('kind = "pu", base = { kind = "forest", prune = 0.5 }', "base = {'kind': 'forest', 'prune': 0.5} in [models 'pu']: layers are pruned once for all bags. Set prune beside base, not in it."),
        ('kind = "pu", base = { kind = "forest", members = 3 }', "base = {'kind': 'forest', 'members': 3} in [models 'pu']: the bags are the members of a base. Leave members out of base, set bags."),
        ('kind = "pu", base = { kind = "boosting", monotone = { gold = "increasing" } }', "monotone in [models 'pu', base] names 'gold', the study has no such layer. It has fault_distance."),
        ('kind = "dl4", layer_dropout = 1.0', "layer_dropout = 1.0 in [models 'dl4']: input should be less than 1."),
        ('kind = "dl4", block = 2', "'block' is not a key in [models 'dl4'] (value 2). Remove it."),
        ('kind = "cbam", blocks = 3', "blocks = 3 in [models 'cbam']: input should be less than or equal to 2."),
        ('kind = "devnet", hidden = [200, 0]', "hidden = 0 in [models 'devnet']: input should be greater than or equal to 1."),
        ('kind = "devnet", members = 0', "members = 0 in [models 'devnet']: input should be greater than or equal to 1."),
    ],
)  # fmt: skip
def test_each_mistake_in_a_model_gets_one_sentence(folder: Path, model: str, message: str) -> None:
    assert problems(folder, f"models = [{{ {model} }}]\n{GOOD}") == [message]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('[validate]\nschemes = ["random", "blok"]', "schemes = 'blok' in [validate]: input should be 'random', 'block' or 'deposit'."),
        ('[validate]\nschemes = ["block", "block"]', "schemes = ['block', 'block'] in [validate]: a scheme is named twice. Name each once."),
        ("[validate]\nfolds = 1", "folds = 1 in [validate]: input should be greater than or equal to 2."),
        ("[validate]\nrepeats = 0", "repeats = 0 in [validate]: input should be greater than or equal to 1."),
        ("[validate]\nrepeat = 2", "'repeat' is not a key in [validate] (value 2). Did you mean 'repeats'?"),
        ('[validate]\nsize = 50.0\naxis = "y"', "axis = 'y' in [validate]: blocks are cubes of a size or slabs along an axis, not both. Leave one out."),
        ('[validate]\nnegatives = "all"', "negatives = 'all' in [validate]: input should be 'unaware' or 'published'."),
        ('[validate]\ncalibration = "platt"', "calibration = 'platt' in [validate]: input should be 'none', 'isotonic' or 'venn-abers'."),
        ('[validation]\nfolds = 3', "'validation' is not a key (value {'folds': 3}). Did you mean 'validate'?"),
        ('[predict]\nmodels = "some"', "models = 'some' in [predict]: input should be 'first' or 'all'."),
        ("[samples]\npool = 3", "pool = 3 in [samples]: input should be greater than or equal to 100."),
    ],
)  # fmt: skip
def test_each_mistake_in_how_models_are_compared_gets_one_sentence(
    folder: Path, table: str, message: str
) -> None:
    assert problems(folder, f"{GOOD}\n{table}\n") == [message]


def read(folder: Path, text: str) -> study.Study:
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return study.load(folder / "study.toml")


def test_validation_is_all_schemes_once_unless_the_study_says_otherwise(folder: Path) -> None:
    found = read(folder, GOOD).validation
    assert (found.schemes, found.repeats, found.folds) == (("random", "block", "deposit"), 1, 3)
    assert (found.negatives, found.calibration) == ("unaware", "none")
    assert found.buffer is found.size is found.axis is None
    said = read(folder, GOOD + '[validate]\nschemes = ["deposit"]\nrepeats = 5\naxis = "y"\n').validation
    assert (said.schemes, said.repeats, said.axis) == (("deposit",), 5, "y")


@pytest.mark.parametrize("kind", models.KINDS)
def test_defaults_of_the_study_are_those_of_the_models(kind: str) -> None:
    """One truth: what a table does not say is what the class would do by itself."""
    told = MODELS[kind].model_validate({"kind": kind}).parameters()  # type: ignore[attr-defined]
    by_study, by_class = models.make(kind, ("a", "b"), **told), models.make(kind, ("a", "b"))
    if kind == "pu":  # its base is told in full
        assert (by_study.base, by_study.bags, by_study.even) == (by_class.base, by_class.bags, by_class.even)  # type: ignore[attr-defined]
        by_study, by_class = by_study._unfitted(), by_class._unfitted()  # type: ignore[attr-defined]
    assert by_study.get_params() == by_class.get_params()  # type: ignore[attr-defined]


def test_a_model_that_is_pruned_is_made_around_its_own_kind(folder: Path) -> None:
    text = 'models = [{ kind = "forest", trees = 5, patch = 3, prune = 0.65 }, { kind = "weights" }]\n'
    pruned, plain = read(folder, text + GOOD).models
    kind, settings = pruned.made_as()
    made: Any = models.make(kind, ("a", "b"), **settings)
    assert (kind, made.base, made.limit, made.patch_shape) == ("pruned", "forest", 0.65, (3, 3, 3))
    assert made.settings["n_estimators"] == 5
    assert plain.made_as() == ("weights", plain.parameters())


def test_every_setting_of_a_model_can_be_said_in_the_study() -> None:
    """The contract: settings are the parameters of the class, but for layers and what the kind fixes."""
    for kind, table in MODELS.items():
        told = set(table.model_validate({"kind": kind}).parameters())  # type: ignore[attr-defined]
        theirs = set(models.make(kind, ("a",)).get_params(deep=False))  # type: ignore[attr-defined]
        fixed = {"layers", "n_jobs"} | ({"blocks", "attention"} if kind.startswith("dl") else set())
        if kind == "weights":
            fixed.add("patch_shape")  # they see the cell
        assert told == theirs - fixed, kind


def test_words_of_the_study_become_parameters_of_the_models(folder: Path) -> None:
    text = (
        'models = [{ kind = "forest", trees = 5, leaf = 4, patch = 3, search = 6 }, '
        '{ kind = "boosting", iterations = 9, shrinkage = 2.0, monotone = { fault_distance = "decreasing" } }, '
        '{ kind = "logistic", shrinkage = 4.0 }, { kind = "pu", base = "dl3", bags = 3 }, '
        '{ kind = "devnet", early_stopping = false }]\n'
    )
    tables = read(folder, text + GOOD).models
    forest, boosting, logistic, pu, devnet = (table.parameters() for table in tables)
    assert forest == {
        "n_estimators": 5, "max_depth": 7, "max_features": 3, "min_samples_leaf": 4, "search": 6,
        "patch_shape": (3, 3, 3), "balanced": False,
    }  # fmt: skip
    assert (boosting["n_estimators"], boosting["l2"]) == (9, 2.0)
    assert boosting["monotone"] == {"fault_distance": "decreasing"}
    assert logistic["C"] == 0.25
    assert (pu["base"], pu["bags"], pu["patch_shape"], pu["settings"]["epochs"]) == (
        "dl3",
        3,
        (3, 3, 3),
        None,
    )
    assert devnet["hidden"] == (200, 80, 20)
    assert [table.stops_early for table in tables] == [True, True, True, False, False]


def test_a_name_stands_for_a_base_with_its_defaults(folder: Path) -> None:
    short = read(folder, 'models = [{ kind = "pu", base = "boosting" }]\n' + GOOD)
    long = read(folder, 'models = [{ kind = "pu", base = { kind = "boosting" } }]\n' + GOOD)
    assert short.models == long.models


def test_whatever_the_template_comments_out_is_known_too(folder: Path) -> None:
    text = study.template()
    text = text[text.index("[samples]") :].replace('# axis = "y"', "")  # not together with size
    text = re.sub(r"^# (percentile|value|rule) = .*$", "", text, flags=re.MULTILINE)  # nor with share
    text = text.replace('# licence = "licence.gpkg"', 'licence = ""')  # a file that is not there
    text = re.sub(r"^# (?=\w+ = |\[\[)", "", text, flags=re.MULTILINE)
    assert 'kind = "cbam"' in text
    layer = '[[layers]]\nname = "granite_distance"\nkind = "distance"\nfiles = ["body.ts"]\nunits = "m"\n'
    found = read(folder, GOOD + layer + text)
    assert [table.kind for table in found.models] == [
        "dl4", "forest", "boosting", "logistic", "weights", "pu", "devnet", "cbam",
    ]  # fmt: skip
    assert (found.validation.size, found.predict.models, found.samples.pool) == (2000.0, "first", 100_000)


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


def test_the_validation_of_the_readme_is_a_table_of_the_study(folder: Path) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    text = readme.split("```toml\n")[2].split("```")[0]
    found = read(folder, GOOD + text).validation
    assert (found.repeats, found.buffer, found.size) == (3, 1000.0, None)


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


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "share = 0.02\npercentile = 98",
            "percentile = 98 in [targets]: share = 0.02 says already where targets begin. Leave one out.",
        ),
        (
            "value = 0.8\nrule = 'crossing'",
            "rule = 'crossing' in [targets]: value = 0.8 says already where targets begin. Leave one out.",
        ),
        ("rule = 'best'", "rule = 'best' in [targets]: input should be 'crossing' or 'youden'."),
        ("percentile = 100", "percentile = 100 in [targets]: input should be less than 100."),
        (
            "weights = { scor = 1 }",
            "weights = {'scor': 1} in [targets]: 'scor' is not a term of the ranking, use any of score, spread, volume, depth, distance.",
        ),
        (
            "weights = { score = -1 }",
            "weights = {'score': -1} in [targets]: the weight of score is -1, it must be 0 or more.",
        ),
        (
            "weights = {}",
            "weights = {} in [targets]: all weights are 0, so nothing is left to rank by. Give one of them a weight.",
        ),
    ],
)
def test_targets_begin_at_one_place_and_have_weights_of_known_terms(
    folder: Path, text: str, problem: str
) -> None:
    assert problems(folder, f"{GOOD}\n[targets]\n{text}\n") == [problem]


FLAT = GOOD.replace("z = [-500, 0]\n", "")
VECTOR = FLAT.replace('kind = "distance"\nfiles = ["body.ts"]', 'kind = "vector"\nfile = "u.gpkg"').replace(
    'name = "A"\nfiles = ["body.ts"]', 'name = "A"\npoints = "ore.csv"'
)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('file = "u.gpkg"', 'file = "u.gpkg"\nmeasure = "class"', "measure = 'class' needs the column that names the class, such as column = 'UNIT'."),
        ('file = "u.gpkg"', 'file = "u.gpkg"\ncolumn = "UNIT"', "column is for measure = 'class', the measure is 'distance'. Choose shapes by where."),
        ('file = "u.gpkg"', 'file = "u.gpkg"\nmeasure = "inside"\ncutoff = 5.0', "geodesic and cutoff are for distances, the measure is 'inside'. Remove them."),
        ('points = "ore.csv"', 'points = "ore.csv"\nname_column = "N"', "deposit 'A' has columns of names or styles, they need each = true. Add it."),
        ('points = "ore.csv"', 'points = "ore.csv"\neach = "touching"', "deposit 'A' has each = 'touching', which is for pixels of a raster, and ore.csv is none. Use each = true."),
        ('points = "ore.csv"', 'points = "ore.csv"\neach = "patch"', "each = 'patch' in [deposits 'A']: it is true, false or 'touching'."),
        ('points = "ore.csv"', 'files = ["body.ts"]\neach = true', "deposit 'A' has each = true, which is for points, and names none. Remove it."),
        ('points = "ore.csv"', 'files = ["body.ts"]', "deposit 'A': 'body' is a surface in space, and the study is a map. Give points, lines or polygons of a map: points = 'deposits.gpkg'."),
        ('points = "ore.csv"', 'points = "ore.csv"\neach = true\nname_column = "N"', "deposit 'A': ore.csv has no column 'N'. It has x, y."),
        ("x = [0, 500]", "x = [1000, 1500]", "deposit 'A' lies outside the area: it spans x 100 to 100, y 120 to 120, the grid x 1000 to 1500, y 0 to 500 m. Move the grid or check the file and its coordinate system."),
    ],
)  # fmt: skip
def test_each_mistake_with_shapes_and_places_of_a_map_gets_one_sentence(
    folder: Path, old: str, new: str, message: str
) -> None:
    (folder / "u.gpkg").write_bytes(b"")
    (folder / "ore.csv").write_text("x,y\n100,120\n")
    (found,) = problems(folder, VECTOR.replace(old, new))
    assert found.endswith(message)


def test_columns_of_places_are_not_for_bodies(folder: Path) -> None:
    text = GOOD.replace('name = "A"', 'name = "A"\ncrs = "EPSG:4326"')
    assert problems(folder, text) == ["deposit 'A' has crs, which is for points of a map. Remove it."]


def test_places_of_a_map_need_elevations_in_a_volume(folder: Path) -> None:
    (folder / "ore.csv").write_text("x,y\n100,120\n")
    text = GOOD.replace('name = "A"\nfiles = ["body.ts"]', 'name = "A"\npoints = "ore.csv"\neach = true')
    (found,) = problems(folder, text)
    assert found.startswith("deposit 'A': a point without an elevation has no place in a volume. Give points")


def test_what_the_template_says_of_shapes_and_places_of_a_map_is_known(folder: Path) -> None:
    parts = study.template().split("\n\n")
    shapes, places = (next(p for p in parts if word in p) for word in ('kind = "vector"', "each = true"))
    text = re.sub(r"^# ", "", f"{shapes}\n{places}", flags=re.MULTILINE)
    back = pyproj.Transformer.from_crs(32651, 4326, always_xy=True).transform(100, 120)
    (folder / "ore.csv").write_text("x,y\n300,300\n")
    frame = geopandas.GeoDataFrame({"NAME": ["a"], "STYLE": ["v"]}, geometry=[shapely.Point(back)], crs=4326)
    frame.to_file(folder / "occurrences.gpkg", layer="lithium")
    frame.to_file(folder / "geology.gpkg", layer="units")
    found = read(
        folder, FLAT.replace('name = "A"\nfiles = ["body.ts"]', 'name = "A"\npoints = "ore.csv"') + text
    )
    assert found.layers[1].kind == "vector"
    assert found.deposits[1].each
