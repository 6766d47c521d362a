from __future__ import annotations

import pytest

from mpm3d.errors import FormatError, StudyError, require


def test_a_format_error_names_file_and_line() -> None:
    error = FormatError("folder/magnetics.vo", "AXIS_N has 2 values.", 14)
    assert str(error) == "magnetics.vo, line 14: AXIS_N has 2 values."
    assert str(FormatError("a.ts", "it is empty.")) == "a.ts: it is empty."


def test_a_study_error_holds_every_problem() -> None:
    error = StudyError(["one.", "two."])
    assert error.problems == ("one.", "two.")
    assert str(error) == "one.\ntwo."
    assert StudyError("alone.").problems == ("alone.",)


def test_a_missing_extra_says_how_to_install_it() -> None:
    with pytest.raises(ImportError, match=r"'no_such_module' is not installed.*pip install 'mpm3d\[omf\]'"):
        require("no_such_module", "omf")
    assert require("json", "omf").loads("1") == 1
