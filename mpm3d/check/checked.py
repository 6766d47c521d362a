"""What was found wrong with a study, and how it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mpm3d.check.finding import Finding
from mpm3d.check.values import LayerReport, Pair


@dataclass
class Checked:
    """What was found.

    Parameters
    ----------
    study : str
        Its name.
    findings : list of Finding
        What should not be so.
    layers : list of LayerReport
        Each layer that could be read, in numbers.
    pairs : list of Pair
        Layers that go together.
    hashes : list of dict
        ``file``, ``sha256`` (of what is there, empty if nothing is), ``stated`` (in the study, or empty).
    space : str
        What the cells are of: ``"volume"``, or ``"area"`` of a map.
    """

    study: str
    findings: list[Finding] = field(default_factory=list)
    layers: list[LayerReport] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    hashes: list[dict[str, str]] = field(default_factory=list)
    space: str = "volume"

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {**asdict(self), "n_findings": len(self.findings)}


def without_hash(names: Sequence[str]) -> str:
    """What is said of files from elsewhere whose hash the study does not state."""
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return (
        f"{shown} lie outside the study's folder and no SHA-256 is stated, so nobody can tell whether they "
        "are the same elsewhere. Add a [[sources]] table for each; --json prints the hashes."
    )


def lines(done: Checked) -> Iterator[str]:
    """What was found, as text: the layers, the pairs that go together, the findings.

    Parameters
    ----------
    done : Checked
        From `check_study`.
    """
    if done.layers:
        width = max(12, *(len(layer.name) for layer in done.layers))
        heads = " ".join(f"{word:>11}" for word in ("lowest", "mean", "highest"))
        yield f"{'layer':<{width}} {heads} {'missing':>8} {'covered':>8}  units"
        for one in done.layers:
            ends = (one.low, one.mean, one.high)
            numbers = " ".join(f"{'-' if n is None else format(n, '.5g'):>11}" for n in ends)
            yield f"{one.name:<{width}} {numbers} {one.missing:>8.1%} {one.covered:>8.1%}  {one.units}"
        n = max(one.n for one in done.layers)
        yield f"(from the {done.layers[0].source}, {n:,} cells of the study {done.space})"
    if done.hashes:
        right = sum(one["sha256"] == one["stated"] != "" for one in done.hashes)
        yield f"\n{right} of {len(done.hashes)} files that are not bundled have the SHA-256 that is stated."
    if done.pairs:
        yield "\nlayers that go together                              Pearson  Spearman"
    for pair in done.pairs:
        yield f"{f'{pair.first} and {pair.second}':<52} {pair.pearson:>7.2f} {pair.spearman:>9.2f}"
    count = len(done.findings)
    yield f"\n{count or 'no'} warning{'s' * (count != 1)}{':' if count else '.'}"
    for number, finding in enumerate(done.findings, start=1):
        yield f"{number:>3}. {finding}"
