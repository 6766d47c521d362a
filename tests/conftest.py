"""Where the tests find real files, and what they do without them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest


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
