"""Tables of text as columns: separators, headers, units, decimal commas and what stands for missing."""

from __future__ import annotations

import io
import itertools
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpm3d.errors import FormatError
from mpm3d.geometry import Array
from mpm3d.grid import FloatArray
from mpm3d.io.files import read_text
from mpm3d.io.tables.headers import (
    AT,
    FROM,
    HOLE,
    Header,
    X,
    fields_of,
    find_header,
    is_number,
    key_of,
    without_names,
)

if TYPE_CHECKING:
    import pandas as pd

# what people write where there is no number
_MISSING = frozenset(
    {"", "-", "--", "*", "?", "na", "n/a", "nan", "null", "none", "#n/a", "#null!", "#value!"}
)
# beyond this the length of a vector overflows
_FAR = 1e150
_SENTINELS = (-99999.0, -9999.0, -999.25, -999.0, -99.0)
_METRES = {
    "": 1.0, "m": 1.0, "metre": 1.0, "metres": 1.0, "meter": 1.0, "meters": 1.0, "me": 1.0, "mn": 1.0,
    "mrl": 1.0, "masl": 1.0, "km": 1000.0, "ft": 0.3048, "feet": 0.3048, "foot": 0.3048, "ftus": 1200 / 3937,
    "usft": 1200 / 3937,
}  # fmt: skip
_LIMIT = r"[<>≤≥]=?\s*[-+]?\d*[.,]?\d+(?:[eE][-+]?\d+)?"


@dataclass
class Table:
    """Rows of a table, and what was decided about them so far, in sentences."""

    path: Path
    header: Header
    frame: pd.DataFrame
    text: str
    comma: bool = False
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.frame)

    def fail_at(self, row: int, reason: str) -> FormatError:
        """The error of a row, with its line."""
        wanted = int(self.frame.index[row])
        lines = self.text.split("\n")
        full = (i for i in range(self.header.line + 1, len(lines)) if lines[i])
        line = next((i for n, i in enumerate(full) if n == wanted), None)
        return FormatError(self.path, reason, None if line is None else line + 1)

    def name(self, column: int) -> str:
        """Name of a column."""
        return self.header.names[column]

    def numbers(self, column: int) -> FloatArray:
        """Values of a column as numbers, NaN for what is none."""
        values = self.frame[column]
        if values.dtype.kind in "fiub":
            return values.to_numpy(dtype=float)
        codes, words = self._coded(column)
        return self._numbers_of(words)[codes]

    def _coded(self, column: int) -> tuple[NDArray[np.int64], Array]:
        """Row of each cell in an array of the different words, the last of which is empty."""
        import pandas as pd

        codes, found = pd.factorize(self.frame[column])
        words = np.empty(len(found) + 1, dtype=object)  # code -1, for missing, is the last one
        words[:] = [*(str(word).strip() for word in found), ""]
        return codes, words

    def _numbers_of(self, words: Array) -> FloatArray:
        import pandas as pd

        plain = [word.replace(",", ".") for word in words] if self.comma else list(words)
        return pd.to_numeric(pd.Series(plain, dtype=object), errors="coerce").to_numpy(dtype=float)

    def texts(self, column: int) -> Array:
        """Values of a column as text, empty where missing; of dtype object if one is very long."""
        codes, words = self._coded(column)
        length = np.array([len(word) for word in words])
        wasted = int(length.max()) * len(codes) > 10**6 + 8 * int(length[codes].sum())
        return words.astype(object if wasted else str)[codes]

    def shown(self, column: int, row: int) -> str:
        """What the file has in a cell."""
        value = self.frame[column].iloc[row]
        return "" if value != value else str(value)[:40]

    def lengths(self, column: int) -> FloatArray:
        """Values of a column in metres, by the unit in its header, NaN for what is no number."""
        unit = self.header.unit(column)
        if unit.lower() in ("deg", "degree", "degrees", "°"):
            raise FormatError(self.path, f"the column {self.name(column)!r} is in degrees. {PROJECT}")
        factor = _METRES.get(key_of(unit))
        if factor is None:
            self._note(f"the unit {unit!r} of {self.name(column)!r} is not known and was taken as metres.")
        elif factor != 1:
            self._note(f"{self.name(column)!r} is in {unit!r} and was converted to metres ({factor:.10g}).")
        return self.numbers(column) * (1.0 if factor is None else factor)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def points(self, columns: Sequence[int], errors: str) -> FloatArray:
        """Coordinates ``(n, 3)`` in metres; rows without them are an error, or left out and noted.

        Raises
        ------
        FormatError
            If a column is there twice, or a coordinate is no finite number and ``errors`` is ``"strict"``.
        """
        for column in columns:
            if self.name(column).lower() in [name.lower() for name in self.header.twice]:
                raise FormatError(
                    self.path,
                    f"the column {self.name(column)!r} appears more than once. Rename one of them.",
                    self.header.line + 1,
                )
        values = np.column_stack([self.lengths(column) for column in columns])
        with np.errstate(invalid="ignore"):
            good: NDArray[np.bool_] = np.all(np.abs(values) < _FAR, axis=1)
        if good.all():
            return values
        row = int(np.argmin(good))
        if errors == "strict":
            with np.errstate(invalid="ignore"):
                column = columns[int(np.argmin(np.abs(values[row]) < _FAR))]
            raise self.fail_at(
                row,
                f"{self.name(column)} is {self.shown(column, row)!r}, a finite number is needed. Read with "
                "errors='skip' to leave such rows out.",
            )
        self.keep(good)
        self.notes.append(f"{int((~good).sum())} rows without finite coordinates were left out.")
        return values[good]

    def keep(self, good: NDArray[np.bool_]) -> None:
        """Leave out the other rows."""
        self.frame = self.frame[good]

    def values(self, taken: Iterable[int]) -> tuple[dict[str, FloatArray], dict[str, Array], dict[str, str]]:
        """The other columns: numbers by name, text by name, and units.

        A column is of numbers if all its values are, or stand for missing, or are limits such as ``<0.01``,
        which become missing too. Notes tell.
        """
        left = [i for i in range(len(self.header.names)) if i not in set(taken)]
        numbers: dict[str, FloatArray] = {}
        texts: dict[str, Array] = {}
        for column in left:
            found = self._as_numbers(column)
            if found is None:
                texts[self.name(column)] = self.texts(column)
            else:
                numbers[self.name(column)] = found
                self._suspect(column, found)
        units = {self.name(i): self.header.units[i] for i in left if self.header.units[i]}
        return numbers, texts, units

    def _as_numbers(self, column: int) -> FloatArray | None:
        if self.frame[column].dtype.kind in "fiub":
            return self.numbers(column)
        codes, words = self._coded(column)
        numbers = self._numbers_of(words)
        count = np.bincount(codes + 1, minlength=len(words))  # of the empty word first
        count = np.concatenate([count[1:], count[:1]])
        other = np.isnan(numbers) & (count > 0) & [word.lower() not in _MISSING for word in words]
        limit = other & [re.fullmatch(_LIMIT, word) is not None for word in words]
        known = int(count[~np.isnan(numbers)].sum())
        if not np.any(other & ~limit) and (known or limit.any()):
            if limit.any():
                self.notes.append(
                    f"{int(count[limit].sum())} values of {self.name(column)!r}, such as "
                    f"{words[limit][0]!r}, are limits of detection and count as missing."
                )
            return numbers[codes]
        if known and known >= len(codes) / 2:
            odd = other & ~limit
            self.notes.append(
                f"{self.name(column)!r} was read as text, since {int(count[odd].sum())} of {len(codes)} "
                f"values are no numbers, such as {words[odd][0][:40]!r}."
            )
        return None

    def _suspect(self, column: int, values: FloatArray) -> None:
        low = float(np.nanmin(values)) if len(values) and not np.isnan(values).all() else 0.0
        if low in _SENTINELS:
            self.notes.append(
                f"{self.name(column)!r} holds {low:g} {int((values == low).sum())} times, which may stand "
                "for missing; it was kept."
            )


PROJECT = (
    "Coordinates in metres are needed: project them first, to UTM for example, and export the table again."
)


def read_table(path: str | Path, words: Sequence[str] = ()) -> Table:
    """Read a table with a header, whatever separates its columns.

    Lines that begin with ``#`` are comments. Commas are decimal commas where columns are separated by
    semicolons or tabs and no number has a point. Rows without any value are left out. Names of holes, and
    columns whose keys are among ``words``, stay as they are written: ``007`` is no number.

    Raises
    ------
    FormatError
        If there is no header or a row has more values than that.
    """
    text = read_text(path)
    header = find_header(text) or without_names(path, text)
    if header is None or "\0" in text[:65536]:
        raise FormatError(
            path, "this is not a table with a header. A first line with the names of the columns is needed."
        )
    if "\n#" in text:
        text = _without_comments(text)
    table = Table(Path(path), header, _frame(path, text, header, words), text, _decimal_comma(text, header))
    if header.title:
        table.notes.append(f"the title {header.title[:60]!r} above the names was left out.")
    if header.line < 0:
        table.notes.append("no names stand above the columns; the first three were taken as x, y and z.")
    _take_units(table)
    if table.comma:
        table.notes.append("commas in numbers were taken as decimal commas.")
    empty = table.frame.isna().all(axis=1).to_numpy(dtype=bool)
    if empty.any():
        table.keep(~empty)
        table.notes.append(f"{int(empty.sum())} rows without any value were left out.")
    return table


def _take_units(table: Table) -> None:
    """Leave out rows of words right below the names, where numbers follow: units, types or descriptions."""
    place = table.header.first((*X, *FROM, *AT))
    if place is None:
        return
    rows = [
        [str(v).strip() if v == v else "" for v in row] for row in table.frame.head(5).itertuples(index=False)
    ]
    found = list(itertools.takewhile(lambda row: not any(map(is_number, filter(None, row))), rows))
    if not found or not found[0][place] or found[0][place].lower() in _MISSING or len(found) == len(rows):
        return
    for row in found:
        if key_of(row[place]) in _METRES and row[place]:
            units = tuple(known or word for known, word in zip(table.header.units, row, strict=True))
            table.header = replace(table.header, units=units)
    table.keep(np.arange(len(table)) >= len(found))
    shown = ", ".join(word for word in found[0] if word)
    table.notes.append(f"rows of words below the names were left out ({shown[:60]}).")


def _without_comments(text: str) -> str:
    """The text with comments emptied, so that lines keep their numbers."""
    lines, quoted = text.split("\n"), False
    for i, line in enumerate(lines):
        if line[:1] == "#" and not quoted:
            lines[i] = ""
        elif line.count('"') % 2:
            quoted = not quoted
    return "\n".join(lines)


def _decimal_comma(text: str, header: Header) -> bool:
    if header.separator not in ";\t":
        return False
    start = 0
    for _ in range(header.line + 1):
        start = text.find("\n", start) + 1
    sample = text[start : start + 200_000] if start else ""
    number = r"(?:^|[;\t\n])\s*[-+]?\d+{}\d+(?:[eE][-+]?\d+)?\s*(?=[;\t\n]|$)"
    return bool(re.search(number.format(","), sample)) and not re.search(number.format(r"\."), sample)


def _frame(path: str | Path, text: str, header: Header, words: Sequence[str]) -> pd.DataFrame:
    """Columns by number; text as it stands, only empty cells missing."""
    import pandas as pd

    columns = list(range(len(header.names)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame: pd.DataFrame = pd.read_csv(
                io.StringIO(text), skiprows=header.line + 1, header=None, names=_names(text, header),
                sep=r"\s+" if header.separator == " " else header.separator,
                skipinitialspace=True, index_col=False, low_memory=False, keep_default_na=False,
                na_values=[""], **_exact(),
                decimal="," if _decimal_comma(text, header) else ".",
                dtype=dict.fromkeys(header.find((*HOLE, *words)), str),
            )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.ParserWarning, OverflowError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise FormatError(
            path,
            f"this is not a table with a header of {len(columns)} columns ({reason}). Check its separators "
            "and quotes.",
        ) from error
    if frame.iloc[:, len(columns) :].notna().to_numpy().any():
        raise FormatError(
            path,
            f"this is not a table with a header of {len(columns)} columns: rows have {len(frame.columns)} "
            "values. Name every column.",
        )
    return frame.iloc[:, : len(columns)]


def _exact() -> dict[str, Any]:
    """What makes pandas read each number to its last digit; newer ones always do."""
    import pandas as pd

    version = [int(part) for part in re.findall(r"\d+", pd.__version__)[:2]]
    return {} if version >= [3, 1] else {"float_precision": "round_trip"}


def _names(text: str, header: Header) -> list[int]:
    """Numbers of the columns, with one more where rows end with a separator and the header does not."""
    columns = list(range(len(header.names)))
    lines = io.StringIO(text)
    for _ in range(header.line + 1):
        next(lines, "")
    first = next((line.strip("\r\n") for line in lines if line.strip()), "")
    ends = header.separator != " " and first.rstrip(" ").endswith(header.separator)
    return [*columns, len(columns)] if ends and len(fields_of(first)[0]) == len(columns) + 1 else columns
