"""What attributions come to: sums over the volume and over targets, a draw for the pictures, the table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpm3d import samples, storage
from mpm3d.evaluate import CAUTION
from mpm3d.reasons.reason import Reason
from mpm3d.reasons.store import ATTRIBUTION, TARGET, Wanted, as_cells, blocks_of, split_zones
from mpm3d.targets import Delineation, Target

if TYPE_CHECKING:
    import pandas as pd

    from mpm3d.reasons.deposits import DepositTally
    from mpm3d.reasons.volume import Volume

Float64 = NDArray[np.float64]

_DRAWN = 4000  # cells of each picture's two crowds, at most


@dataclass(eq=False)
class Tally:
    """Sums over explained cells.

    Parameters
    ----------
    n_layers : int
        Evidence layers.
    n : int
        Cells.
    total, absolute : array of shape (layer,)
        Sums of the attributions and of their sizes.
    strongest : array of shape (layer,)
        Cells where the attribution of this layer is the largest in size, and not 0.
    """

    n_layers: int
    n: int = 0
    total: Float64 = field(init=False)
    absolute: Float64 = field(init=False)
    strongest: Float64 = field(init=False)

    def __post_init__(self) -> None:
        self.total, self.absolute, self.strongest = (np.zeros(self.n_layers) for _ in range(3))

    def add(self, values: NDArray[Any]) -> None:
        """Count cells, ``(layer, n)``."""
        size = np.abs(values).astype(np.float64)
        self.n += values.shape[1]
        self.total += values.sum(axis=1, dtype=np.float64)
        self.absolute += size.sum(axis=1)
        if values.shape[1]:
            moved = size.max(axis=0) > 0  # where no layer does anything, none is the strongest
            self.strongest += np.bincount(size[:, moved].argmax(axis=0), minlength=self.n_layers)

    @property
    def means(self) -> tuple[Float64, Float64, Float64]:
        """Mean, mean absolute and share of cells where it is the strongest, by layer; NaN without cells."""
        if not self.n:
            none = np.full(self.n_layers, np.nan)
            return none, none, none
        return self.total / self.n, self.absolute / self.n, self.strongest / self.n


@dataclass(frozen=True, eq=False)
class Crowd:
    """Cells drawn for a picture.

    Parameters
    ----------
    values : array of shape (n, layer)
        Attributions.
    evidence : array of shape (n, layer)
        Values of the layers, NaN where missing.
    score : array of shape (n,)
        Scores.
    """

    values: Float64
    evidence: Float64
    score: Float64


@dataclass(frozen=True, eq=False)
class Summary:
    """What an explained volume comes to.

    Parameters
    ----------
    layers : tuple of str
        Evidence layers.
    base : float
        Score without any layer.
    volume : Tally
        Over the lattice, which stands for the volume.
    targets : mapping of str to Tally
        By id of the target; a zone that targets were cut from is on the lattice.
    crowds : mapping of str to Crowd
        ``"volume"`` and ``"targets"``: some cells of both, for pictures.
    zones : collection of str
        Ids of the zones that targets were cut from.
    deposits : sequence of DepositTally
        Over the cells of each deposit.
    space : str
        What was explained: a volume, or an area.
    gap : float
        The most that base and attributions miss the score of an explained cell by, as both are stored.
    """

    layers: tuple[str, ...]
    base: float
    volume: Tally
    targets: Mapping[str, Tally]
    crowds: Mapping[str, Crowd]
    zones: Collection[str] = ()
    deposits: Sequence[DepositTally] = ()
    space: str = "volume"
    gap: float = 0.0

    @property
    def order(self) -> list[int]:
        """Layers, the one with the largest mean absolute attribution over the volume first."""
        return np.argsort(-self.volume.means[1], kind="stable").tolist()  # type: ignore[no-any-return]

    @property
    def in_targets(self) -> Tally:
        """Over the cells of all targets, each once: without the zones that they were cut from."""
        whole = Tally(len(self.layers))
        for tally in (one for name, one in self.targets.items() if name not in self.zones):
            whole.n += tally.n
            whole.total += tally.total
            whole.absolute += tally.absolute
            whole.strongest += tally.strongest
        return whole

    def reason(self, target: str) -> Reason:
        """Why a target scores as it does."""
        tally = self.targets[target]
        return Reason(self.layers, tally.means[0], self.base, tally.n)


def summarise(
    volume: Volume, found: Delineation, *, seed: int, deposits: Sequence[DepositTally] = ()
) -> Summary:
    """Go through the explained cells once for the volume, and once for each target; blocks are read."""
    explainer = volume.subject.explainer
    attribution = storage.group(volume.place, "r")[ATTRIBUTION]
    split = split_zones(found)
    tallies = {
        target.id: tally_of(attribution, target, volume.wanted if target.id in split else None)
        for target in found.targets
    }
    whole, crowds = _over_volume(volume, seed)
    return Summary(
        explainer.layers, explainer.base, whole, tallies, crowds, split, deposits, volume.space, _gap(volume)
    )


def tally_of(attribution: Any, target: Target, wanted: Wanted | None = None) -> Tally:
    """Sums over the explained cells of a target, or over those of them on the lattice."""
    tally = Tally(attribution.shape[0])
    for cells in target.parts():
        low, high = cells.min(axis=0), cells.max(axis=0) + 1
        window = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        inside = np.zeros(tuple(high - low), dtype=bool)
        inside[tuple((cells - low).T)] = True
        if wanted is not None:
            inside &= wanted.on_lattice(window)  # type: ignore[arg-type]
        values = attribution[(slice(None), *window)][:, inside]
        tally.add(values[:, ~np.isnan(values[0])])
    return tally


def _gap(volume: Volume) -> float:
    """The most that base and attributions in the store miss the score in its store by."""
    store, gap = storage.group(volume.place, "r"), 0.0
    for block in blocks_of(store):
        total = volume.subject.explainer.base + store[ATTRIBUTION][(slice(None), *block.core)].sum(
            axis=0, dtype=np.float64
        )
        there = ~np.isnan(total)
        if there.any():
            gap = max(gap, float(np.abs(total - volume.score[block.core])[there].max()))
    return gap


def _over_volume(volume: Volume, seed: int) -> tuple[Tally, dict[str, Crowd]]:
    tally = Tally(len(volume.subject.explainer.layers))
    drawn: dict[str, list[Any]] = {"volume": [], "targets": []}
    sizes = {"volume": 0, "targets": 0}
    rng = np.random.default_rng([seed, len("beeswarm")])
    for kind, window, flags, values in _explained(volume):
        if kind == "volume":
            tally.add(values)
        cells = as_cells(flags, window)
        sizes[kind] += len(cells)
        drawn[kind].append((rng.random(len(cells)), cells, values.T))
        if sum(len(part[0]) for part in drawn[kind]) > 4 * _DRAWN:
            drawn[kind] = [_fewest(drawn[kind])]
    return tally, {kind: _crowd(volume, parts) for kind, parts in drawn.items()}


def _explained(volume: Volume) -> Iterator[tuple[str, Any, NDArray[np.bool_], NDArray[Any]]]:
    """By block: the cells on the lattice, then those of targets, with their attributions ``(layer, n)``."""
    store = storage.group(volume.place, "r")
    for block in blocks_of(store):
        values = store[ATTRIBUTION][(slice(None), *block.core)]
        there = ~np.isnan(values[0])
        if there.any():
            for kind, some in (
                ("volume", there & volume.wanted.on_lattice(block.core)),
                ("targets", there & (store[TARGET][block.core] > 0)),
            ):
                yield kind, block.core, some, values[:, some]


def _fewest(parts: Sequence[Any]) -> Any:
    """The cells with the smallest random numbers: an even draw from any number of cells in bounded memory."""
    numbers, cells, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    keep = np.argsort(numbers, kind="stable")[:_DRAWN]
    return numbers[keep], cells[keep], values[keep]


def _crowd(volume: Volume, parts: Sequence[Any]) -> Crowd:
    n = len(volume.subject.explainer.layers)
    if not parts:
        return Crowd(np.zeros((0, n)), np.zeros((0, n)), np.zeros(0))
    _, cells, values = _fewest(parts)
    layers = volume.subject.explainer.layers
    evidence = samples.take_patches(volume.evidence, cells, layers, (1, 1, 1)).reshape(len(cells), n)
    values = values.astype(np.float64)
    score = volume.subject.explainer.base + values.sum(axis=1)  # which was checked for every cell
    return Crowd(values, evidence.astype(np.float64), score)


def table_of(summary: Summary, units: Mapping[str, str]) -> pd.DataFrame:
    """A row for each layer over the volume or area, then for each target, then for each deposit.

    Parameters
    ----------
    summary : Summary
        What was explained.
    units : mapping of str to str
        Units of the layers.

    Returns
    -------
    DataFrame
        ``where`` and ``what`` that is; for the layer the mean attribution, the mean of its size and the share
        of cells where it is the strongest; ``n_cells`` that these are over, ``base``, and ``score``, the mean
        score of these cells, which is the base and the means of all layers. NaN for a deposit without scores.
    """
    import pandas as pd

    parts = [(summary.space, summary.space, summary.volume)]
    parts += [(name, "target", tally) for name, tally in summary.targets.items()]
    parts += [
        (f"deposit {one.name}", "blind deposit" if one.blind else "known deposit", one.tally)
        for one in summary.deposits
    ]
    rows = []
    for where, what, tally in parts:
        mean, absolute, strongest = tally.means
        score = summary.base + mean.sum()
        for i in summary.order:
            rows.append(
                [where, what, summary.layers[i], units.get(summary.layers[i], "1"), mean[i], absolute[i],
                 strongest[i], tally.n, summary.base, score]
            )  # fmt: skip
    names = (
        "where", "what", "layer", "units_of_layer", "mean", "mean_absolute", "strongest_share", "n_cells",
        "base", "score",
    )  # fmt: skip
    return pd.DataFrame(rows, columns=list(names))


def write_table(path: Path, table: pd.DataFrame, *, note: str) -> Path:
    """Write the table as CSV in UTF-8, complete or not at all; the last column says what it is not."""
    half = path.with_name(path.name + ".part")
    table.assign(note=f"{CAUTION} {note}".strip()).to_csv(
        half, index=False, encoding="utf-8", lineterminator="\n", float_format="%.6g"
    )
    half.replace(path)
    return path
