"""Where the tests find real files, and what they do without them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

collect_ignore = ["fuzz_io.py"]  # run by hand, with atheris


def _folder(variable: str, what: str) -> Path:
    place = os.environ.get(variable)
    if place and Path(place).is_dir():
        return Path(place)
    reason = f"{variable} does not name a folder, it should hold {what}"
    if os.environ.get("MPM3D_REQUIRE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def data_dir() -> Path:
    """The folder of the real studies that are not bundled."""
    return _folder("MPM3D_DATA", "tkc and the other real studies")


@pytest.fixture
def corpus_dir() -> Path:
    """The folder of real files of every format."""
    return _folder("MPM3D_CORPUS", "the corpus of files by format")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts the same in every test."""
    return np.random.default_rng(0)


BUNDLED = Path(__file__).parent.parent / "data" / "wulong_like"
MAP = BUNDLED.parent / "deepseam_2d"


def small_study(folder: Path) -> Path:
    """The bundled district on 200 m cells with settings that fit in seconds; gives its study.toml."""
    shutil.copytree(
        BUNDLED, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("runs", "truth", "*.py")
    )
    path = folder / "study.toml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("spacing = 50.0", "spacing = 200.0")
    text = text[: text.index("[samples]")] + SMALL_SETTINGS
    path.write_text(text, encoding="utf-8")
    return path


SMALL_SETTINGS = """
[samples]
stand_off = 800.0
max_patches = 160
background = 2000

[[models]]
kind = "dl1"
epochs = 2
batch_size = 32

[[models]]
kind = "forest"
trees = 20

[predict]
block = [10, 25, 13]
workers = 2

[targets]
min_volume = 0.0
"""


FOREST = '[samples]\nnegatives_per_positive = 20\n\n[[models]]\nkind = "forest"\ntrees = 10\n'


FEW = ("k_th", "gravity", "granite_distance")


def map_study(
    folder: Path, *changes: tuple[str, str], settings: str = FOREST, layers: Sequence[str] = FEW
) -> Path:
    """The bundled map on 1 km cells, some layers, with other settings and changes; gives its study.toml."""
    shutil.copytree(MAP, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("runs", "truth", "*.py"))
    path = folder / "study.toml"
    text = path.read_text(encoding="utf-8").replace("spacing = 500.0", "spacing = 1000.0")
    head, *tables = text[: text.index("[[deposits]]")].split("[[layers]]")
    kept = [one for one in tables if any(f'"{name}"' in one for name in layers)]
    deposits = text[text.index("[[deposits]]") : text.index("[samples]")]
    text = head + "".join(f"[[layers]]{one}" for one in kept) + deposits + settings
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def render() -> None:
    """Something that VTK can draw with."""
    from mpm3d.view import can_render

    why_not = can_render()
    if why_not:
        (pytest.fail if os.environ.get("MPM3D_REQUIRE") == "1" else pytest.skip)(why_not)


CHROMIUM_ARGS = (
    "--no-sandbox", "--headless", "--disable-background-networking", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--enable-webgl",
)  # fmt: skip


def _chromium() -> str:
    for name in ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    reason = "Chromium is not installed: apt-get install chromium"
    if os.environ.get("MPM3D_REQUIRE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    path = _chromium()
    if os.environ.get("MPM3D_REQUIRE") != "1":
        pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder for pictures that are worth a look: the one of MPM3D_ARTEFACTS, or a temporary one."""
    place = os.environ.get("MPM3D_ARTEFACTS")
    folder = Path(place) if place else tmp_path_factory.mktemp("artefacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
