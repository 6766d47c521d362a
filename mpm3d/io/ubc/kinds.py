"""What the first lines of UBC files say they are."""

from __future__ import annotations

from mpm3d.grid import FloatArray
from mpm3d.io.files import to_count, to_number
from mpm3d.io.rows import Row, rows

Edges = tuple[FloatArray, FloatArray, FloatArray]
# more cells along an axis, or longer ones, mean a damaged file
MANY = 100_000
WIDE = 1e9
# an OcTree counts its smallest cells, of which there may be more
FINEST = 1 << 20


def mesh_kind(text: str) -> str:
    """``"tensor"``, ``"octree"``, ``"section"`` (2D) or nothing, from the beginning of a mesh file.

    Parameters
    ----------
    text : str
        The file or its beginning, without comments.
    """
    first = rows(text, 5)
    if len(first) < 2:
        return ""
    counts = first[0].counts()
    corner = first[1].numbers()
    if counts is None or corner is None or len(corner) != 3:
        return ""
    if len(counts) == 1:
        return "section" if _is_section(text, counts[0]) else ""
    if len(counts) in (3, 9) and _is_octree(first, counts):
        return "octree"
    return "tensor" if len(counts) == 3 and len(first) > 2 and _width(first[2].words[0]) else ""


def _is_octree(first: list[Row], counts: list[int]) -> bool:
    """Whether the smallest cell and the number of cells follow; 9 counts are those of a padding too."""
    if len(first) < 4 or len(first[2].numbers() or ()) != 3 or len(first[3].counts() or ()) != 1:
        return False
    if len(first) > 4 and len(first[4].counts() or ()) != 4:
        return False
    return len(counts) == 9 or all(is_power(count) for count in counts[:3])


def is_power(count: int) -> bool:
    """Whether a number is a power of two."""
    return count > 0 and count & (count - 1) == 0


def _is_section(text: str, segments: int) -> bool:
    """Whether rows of ``x n`` follow the first segment, and then the number of vertical segments."""
    if not 1 <= segments <= MANY:
        return False
    block = rows(text, segments + 3)
    if to_count(block[1].words[2]) is None:
        return False
    widths = [len(row.words) for row in block[2 : segments + 1]]
    complete = len(block) > segments + 2
    if not complete:  # the last line may be cut
        return bool(widths) and all(width == 2 for width in widths[:-1] or widths)
    if any(width != 2 for width in widths):
        return False
    return len(block[segments + 1].counts() or ()) == 1 and len(block[segments + 2].words) == 3


def _width(word: str) -> bool:
    """Whether a word is a width or the beginning of a repeat of one."""
    times, star, size = word.partition("*")
    if star and to_count(times) is None:
        return False
    try:
        return (star and not size) or to_number(size if star else times) > 0
    except ValueError:
        return False


def cells_of(text: str) -> tuple[str, int]:
    """Kind of a mesh and its number of cells, 0 if the beginning of the file does not tell.

    Parameters
    ----------
    text : str
        The file or its beginning, without comments.
    """
    kind = mesh_kind(text)
    if kind == "tensor":
        east, north, down = rows(text, 1)[0].counts() or (0, 0, 0)
        return kind, east * north * down
    if kind == "octree":
        return kind, (rows(text, 4)[3].counts() or [0])[0]
    if kind == "section":
        return kind, _section_cells(text)
    return "", 0


def _section_cells(text: str) -> int:
    segments = (rows(text, 1)[0].counts() or [0])[0]
    block = rows(text, segments + 2)
    if len(block) < segments + 2:
        return 0
    below = (block[-1].counts() or [0])[0]
    if not 1 <= below <= MANY:
        return 0
    block = rows(text, segments + 2 + below)
    across, down = (
        sum(to_count(row.words[-1]) or 0 for row in part)
        for part in (block[1 : segments + 1], block[segments + 2 :])
    )
    return across * down
