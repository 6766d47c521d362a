"""What goes wrong with files and studies, said so that a geologist can mend it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType


class FormatError(ValueError):
    """A file that is not what it claims to be.

    Parameters
    ----------
    path : str or Path
        The file.
    reason : str
        What is wrong, what was expected, and the next step.
    line : int, optional
        The line of a text file, counted from 1.
    """

    def __init__(self, path: str | Path, reason: str, line: int | None = None) -> None:
        self.path = Path(path)
        self.reason = reason
        self.line = line
        where = self.path.name if line is None else f"{self.path.name}, line {line}"
        super().__init__(f"{where}: {reason}")


class StudyError(ValueError):
    """Everything that is wrong with a study, one sentence each, all at once.

    Parameters
    ----------
    problems : str or sequence of str
        Sentences that name the key, its value and the fix.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module, or say how to install it.

    Parameters
    ----------
    module : str
        Its import name, such as ``"simpeg"``.
    extra : str
        The extra of this package that brings it.

    Raises
    ------
    ImportError
        With the command that installs the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"{module!r} is not installed. Install it with: pip install 'mpm3d[{extra}]'"
        raise ImportError(message) from error
