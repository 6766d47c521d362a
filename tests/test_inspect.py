"""``mpm3d inspect``: what a user and a program see of files."""

from __future__ import annotations

import io as stdio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from mpm3d import inspection
from mpm3d.cli import app
from mpm3d.geometry import Points

run = CliRunner().invoke

TSURF = (
    "GOCAD TSurf 1\nHEADER {\nname:Faille n° 3\n}\nGOCAD_ORIGINAL_COORDINATE_SYSTEM\nNAME Default\n"
    "ZPOSITIVE Depth\nEND_ORIGINAL_COORDINATE_SYSTEM\nPROPERTIES au\nUNITS g/t\nNO_DATA_VALUES -99999\n"
    "TFACE\nPVRTX 1 6540000.25 0 10 1.5\nPVRTX 2 6540100 0 20 -99999\n"
    "PVRTX 3 6540000 50 10 2.5\nTRGL 1 2 3\nEND\n"
)
MESH = "3 2 2\n100 200 50\n3*10\n2*20\n5 15\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fault.ts").write_bytes(TSURF.encode("latin-1"))
    (tmp_path / "mesh.msh").write_text(MESH)
    (tmp_path / "model.den").write_text("".join(f"{v}\n" for v in range(12)))
    (tmp_path / "damaged.ts").write_bytes(TSURF.encode("latin-1").replace(b"TRGL 1 2 3", b"TRGL 1 2 7"))
    return tmp_path


def as_json(*words: object) -> tuple[list[dict[str, Any]], int]:
    result = run(app, ["inspect", *map(str, words), "--json"])
    return json.loads(result.stdout), result.exit_code


def test_text_says_what_is_in_a_file(folder: Path) -> None:
    result = run(app, ["inspect", str(folder / "fault.ts")])
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == f"{folder / 'fault.ts'}: 1 object"
    for line in (
        "TSurf 'Faille n° 3'",
        "holds 3 vertices, 1 triangle",
        "x 6,540,000 to 6,540,100 (100 m)",
        "z -20 to -10 (10 m)",
        "CRS 'Default'",
        "values count missing min mean max units",
        "au 2 1 1.5 2 2.5 g/t",
        "- z is depth in the file and was negated to elevation.",
    ):
        assert line in lines
    assert "\x1b" not in result.stdout


def test_text_of_a_model_has_its_shape_and_first_cell(folder: Path) -> None:
    text = " ".join(run(app, ["inspect", str(folder / "model.den")]).stdout.split())
    assert "holds 12 cells shape 2 × 2 × 3 cells (z, y, x)" in text
    assert "first cell centre at x 105, y 210, z 47.5 CRS not named in the file" in text


def test_what_is_piped_keeps_sentences_on_one_line(folder: Path) -> None:
    result = run(app, ["inspect", str(folder / "model.den")], env={"COLUMNS": "40"})
    assert "- Cells along x, y, z: 3 of 10 m, 2 of 20 m, 2 of 5 to 15 m." in [
        line.strip() for line in result.stdout.splitlines()
    ]


def test_on_a_terminal_long_lines_are_folded() -> None:
    console = Console(file=stdio.StringIO(), width=40, force_terminal=True, highlight=False)
    body = Points("p", np.zeros((1, 3))).noted(
        "A sentence that is longer than the forty letters of the terminal."
    )
    described = [inspection.describe(body)]
    inspection.show(console, inspection.Inspected(Path("a.vs"), [body], described))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[1m" in text
    assert max(len(line) for line in text.splitlines() if "\x1b" not in line) <= 40


def test_json_has_one_entry_per_file_and_nothing_else(folder: Path) -> None:
    found, code = as_json(folder / "fault.ts", folder / "mesh.msh", folder / "model.den")
    assert code == 0
    assert [entry["path"] for entry in found] == [
        str(folder / n) for n in ("fault.ts", "mesh.msh", "model.den")
    ]
    assert all(set(entry) == {"path", "objects"} for entry in found)
    (surface,), (mesh,), (model,) = (entry["objects"] for entry in found)
    assert surface["name"] == "Faille n° 3"
    assert (surface["n_vertices"], surface["n_cells"], surface["z_positive"]) == (3, 1, "Depth")
    assert surface["properties"]["au"] == {
        "count": 2, "mean": 2.0, "min": 1.5, "max": 2.5, "missing": 1, "units": "g/t",
    }  # fmt: skip
    assert mesh["properties"] == {}
    for body in (mesh, model):
        assert (body["shape"], body["bounds"]) == ([2, 2, 3], [100, 200, 30, 130, 240, 50])
    (values,) = model["properties"].values()
    assert (values["count"], values["mean"], values["missing"]) == (12, 5.5, 0)


def test_a_file_that_cannot_be_read_is_told_and_the_others_go_on(folder: Path) -> None:
    found, code = as_json(folder / "damaged.ts", folder / "gone.ts", folder / "fault.ts")
    assert code == 1
    assert [len(entry["objects"]) for entry in found] == [0, 0, 1]
    assert found[0]["error"].startswith("damaged.ts, line 16: ")
    assert "7" in found[0]["error"]
    assert "there is no file" in found[1]["error"]
    assert "error" not in found[2]
    result = run(app, ["inspect", str(folder / "damaged.ts"), str(folder / "fault.ts")])
    assert result.exit_code == 1
    assert f"{folder / 'damaged.ts'}: cannot be read\nerror: damaged.ts, line 16: " in result.stdout
    assert "Faille" in result.stdout


def test_options_reach_the_reader(folder: Path) -> None:
    found, code = as_json(folder / "damaged.ts", "--errors", "skip")
    assert (code, found[0]["objects"][0]["n_cells"]) == (0, 0)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (folder / "model.den").rename(elsewhere / "model.den")
    found, code = as_json(elsewhere / "model.den")
    assert code == 1
    found, code = as_json(elsewhere / "model.den", "--mesh", folder / "mesh.msh")
    assert (code, found[0]["objects"][0]["n_cells"]) == (0, 12)
    header = (
        "GOCAD Voxet 1\nHEADER {\nname:v\n}\nAXIS_O 0 0 0\nAXIS_U 3 0 0\nAXIS_V 0 1 0\nAXIS_W 0 0 1\n"
        'AXIS_N 4 2 1\nPROPERTY 1 "v"\nPROP_ESIZE 1 4\nPROP_ETYPE 1 IEEE\nPROP_FILE 1 ../v@@\nEND\n'
    )
    (elsewhere / "v.vo").write_text(header)
    (folder / "v@@").write_bytes(np.arange(8, dtype="<f4").tobytes())
    words = (elsewhere / "v.vo", "--allow-outside", "--byte-order", "little", "--registration", "corner")
    found, code = as_json(*words)
    assert code == 0
    assert found[0]["objects"][0]["bounds"][0::3] == [0, 3]
    assert found[0]["objects"][0]["properties"]["v"]["mean"] == 3.5
    assert as_json(elsewhere / "v.vo")[1] == 1


@pytest.mark.parametrize("option", [["--registration", "middle"], ["--errors", "no"], ["--byte-order", "up"]])
def test_choices_that_are_not_known_are_refused(folder: Path, option: list[str]) -> None:
    result = run(app, ["inspect", str(folder / "fault.ts"), *option])
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_fault_of_a_reader_does_not_keep_the_others_from_being_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, options: object = None) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr(inspection.io, "read", fail)
    entry = inspection.inspect_file(folder / "fault.ts")
    assert entry.error == (
        "fault.ts: the reader failed in a way that it should not (IndexError: list index out of range). "
        "Please report it, with the file if you may."
    )

    def refuse(path: Path, options: object = None) -> None:
        raise ImportError("'omf' is not installed. Install it with: pip install 'mpm3d[omf]'")

    monkeypatch.setattr(inspection.io, "read", refuse)
    assert inspection.inspect_file("a.omf").error.startswith("a.omf: 'omf' is not installed.")


def test_names_that_the_terminal_cannot_hold_are_shown_as_far_as_it_can() -> None:
    file = stdio.TextIOWrapper(stdio.BytesIO(), encoding="ascii")
    body = Points("Größe\udce9\n2", np.zeros((1, 3)))
    entry = inspection.Inspected(Path("a\udce9.vs"), [body], [inspection.describe(body)])
    inspection.show(inspection.make_console(file=file), entry)
    file.flush()
    assert b"a?.vs: 1 object" in file.buffer.getvalue()  # type: ignore[attr-defined]
    json.dumps(entry.as_dict()).encode("ascii")


def test_piped_output_is_plain_text_in_a_process_of_its_own(folder: Path) -> None:
    command = [sys.executable, "-m", "mpm3d", "inspect", str(folder / "fault.ts")]
    done = subprocess.run([*command, "--json"], capture_output=True, check=True)
    assert json.loads(done.stdout)[0]["objects"][0]["name"] == "Faille n° 3"
    assert done.stderr == b""
    done = subprocess.run(command, capture_output=True, check=True)
    assert b"\x1b" not in done.stdout


def test_numbers_are_written_as_a_geologist_reads_them() -> None:
    assert inspection.coordinate(6540000.25) == "6,540,000.25"
    found = inspection.describe(
        Points("p", np.zeros((2, 3)), properties={"n": np.array([[1, 2], [3, 4.0]]), "e": np.full(2, np.nan)})
    )
    file = stdio.StringIO()
    body = Points("p", np.zeros((2, 3)))
    inspection.show(inspection.make_console(file=file), inspection.Inspected(Path("p"), [body], [found]))
    rows = [" ".join(line.split()) for line in file.getvalue().splitlines()]
    assert "n 2 0 (1, 2) (2, 3) (3, 4)" in rows
    assert "e 0 2 - - -" in rows


@pytest.mark.render
def test_a_picture_is_drawn_of_everything(folder: Path, render: None) -> None:
    out = folder / "pictures" / "all.png"
    result = run(app, ["inspect", str(folder / "fault.ts"), str(folder / "model.den"), "--plot", str(out)])
    assert result.exit_code == 0
    assert f"Drew {out}." in result.stdout
    assert out.read_bytes()[:4] == b"\x89PNG"
    found, code = as_json(folder / "fault.ts", "--plot", out)
    assert (code, len(found)) == (0, 1)


def test_a_picture_that_cannot_be_drawn_is_told(folder: Path) -> None:
    result = run(app, ["inspect", str(folder / "fault.ts"), "--plot", "all.pdf"])
    assert result.exit_code == 1
    assert (
        "error: no picture was drawn. 'all.pdf' is not a PNG file, pictures are. Use 'all.png'."
        in result.stdout
    )
    assert "Faille" in result.stdout
    result = run(app, ["inspect", str(folder / "fault.ts"), "--plot", "all.pdf", "--json"])
    assert len(json.loads(result.stdout)) == 1
    assert "no picture was drawn" in result.stderr
    result = run(app, ["inspect", str(folder / "gone.ts"), "--plot", str(folder / "a.png")])
    assert "there is nothing to draw: no object with coordinates was read." in result.stdout


@pytest.mark.data
def test_all_faults_of_a_region_at_once(data_dir: Path) -> None:
    files = sorted((data_dir / "scec_cfm" / "faults").glob("*.ts"))
    found, code = as_json(*files)
    assert (code, len(found)) == (0, len(files))
    assert {body["type"] for entry in found for body in entry["objects"]} == {"TSurf"}


@pytest.mark.corpus
def test_a_real_ubc_model_after_its_mesh(corpus_dir: Path) -> None:
    folder = corpus_dir / "ubc" / "grav3d_block"
    (mesh, model), code = as_json(folder / "mesh.txt", folder / "model.den.gz")
    assert code == 0
    assert mesh["objects"][0]["shape"] == model["objects"][0]["shape"] == [38, 76, 76]
    (values,) = model["objects"][0]["properties"].values()
    # 10 × 10 × 10 cells of 20 m fill the block of blk3cell.inp, of 0.1 g/cm3, among 219488 cells
    assert values["max"] == 0.1
    assert values["mean"] == pytest.approx(0.1 * 1000 / 219488)


DATA = Path(__file__).parent / "data"


def test_the_centre_of_a_modem_model_is_told_on_the_command_line() -> None:
    (there,), _ = as_json(DATA / "modem/marker.rho", "--centre", "500000", "7000000", "300")
    (local,), _ = as_json(DATA / "modem/marker.rho")
    moved, still = there["objects"][0]["bounds"], local["objects"][0]["bounds"]
    assert np.subtract(moved, still).tolist() == [500000, 7000000, 300] * 2


def test_what_stands_for_air_is_told_on_the_command_line(folder: Path) -> None:
    (usual,), _ = as_json(folder / "model.den")
    (asked,), _ = as_json(folder / "model.den", "--missing", "-5", "--missing", "7")
    assert usual["objects"][0]["properties"]["density"]["missing"] == 0
    assert asked["objects"][0]["properties"]["density"]["missing"] == 1


def test_the_sense_of_z_of_a_resistivity_table_is_told_on_the_command_line(tmp_path: Path) -> None:
    rows = [f"{x} {y} {z} {1 + x}" for z in (0, 10, 30) for y in (0, 10) for x in (0, 10)]
    (tmp_path / "rho.xyz").write_text("\n".join(["x y z rho", *rows]))
    (up,), _ = as_json(tmp_path / "rho.xyz")
    (down,), _ = as_json(tmp_path / "rho.xyz", "--z-positive", "down")
    assert down["objects"][0]["bounds"][2] == -up["objects"][0]["bounds"][5]


def test_a_choice_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="z_positive='north' is not known, use 'up' or 'down'"):
        inspection.io.read("any", z_positive="north")


def test_advice_is_spelled_as_on_the_command_line(folder: Path) -> None:
    result = run(app, ["inspect", str(folder / "damaged.ts")])
    assert "Read with --errors skip to leave" in " ".join(result.stdout.split())
