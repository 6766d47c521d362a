"""Which share of the volume counts as the best, by the study and by what left-out deposits say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpm3d import evaluate
from mpm3d.study import ModelTable
from mpm3d.work import Run

_BEST = 0.02  # where nothing else says so


@dataclass(frozen=True)
class Best:
    """A share of the eligible cells, and why it is this.

    Parameters
    ----------
    share : float
        Above 0 and below 1.
    words : str
        Half a sentence.
    """

    share: float
    words: str


def best_share(run: Run) -> Best:
    """The share of the eligible cells that is the best: what the study says, or left-out deposits.

    With ``value`` in ``[targets]`` the share is not known before the scores are counted; what left-out
    deposits say is given then.

    Parameters
    ----------
    run : Run
        The study at work, validated where no share is in the study.
    """
    table = run.study.targets
    if table.share is not None:
        return Best(table.share, f"the study asks for a share of {table.share:g}")
    if table.percentile is not None:
        # 1 - 0.98 leaves dust in the last digits
        share = round(1 - table.percentile / 100, 12)
        return Best(share, f"the study asks for percentile {table.percentile:g} of the scores")
    return _by_youden(run) if table.rule == "youden" else _by_crossing(run)


def _by_crossing(run: Run) -> Best:
    """The v* of the first model's P-A crossing on left-out deposits."""
    where = run.folder.facts("validate").get("crossings", {}).get(run.study.models[0].kind)
    if where is None or not 0 < where["volume"] < 1:
        return Best(_BEST, f"there is no P-A crossing to take the share from and {_BEST:.0%} is used")
    return Best(
        float(where["volume"]),
        f"the P-A curve of left-out deposits crosses at {where['volume']:.2%} of the volume with "
        f"{where['captured']:.0%} captured",
    )


def _by_youden(run: Run) -> Best:
    """The volume with the largest share of left-out deposits captured beyond that of the volume."""
    ranks = left_out_ranks(run, run.study.models[0])
    if not ranks:
        return Best(_BEST, f"no deposit was left out to take Youden's index from and {_BEST:.0%} is used")
    volume, captured = youden_volume(ranks)
    if not (0 < volume < 1 and captured > volume):
        return Best(
            _BEST,
            f"Youden's index of left-out deposits says nothing ({captured:.0%} captured in {volume:.0%} of "
            f"the volume) and {_BEST:.0%} is used",
        )
    return Best(
        volume,
        f"Youden's index of left-out deposits is largest at {volume:.2%} of the volume with {captured:.0%} "
        "captured",
    )


def youden_volume(ranks: dict[str, Any]) -> tuple[float, float]:
    """Volume at which captured less volume is largest, each deposit with equal weight, and what is captured.

    Parameters
    ----------
    ranks : dict of str to array
        Volume ranks of the cells of each deposit, 0 the best.

    Returns
    -------
    volume, captured : float
        Shares; of several that are equally good, the smallest volume.

    References
    ----------
    Youden, W.J. 1950. Index for rating diagnostic tests. Cancer 3, 32-35.

    Examples
    --------
    >>> youden_volume({"A": [0.1, 0.2], "B": [0.2, 0.9]})
    (0.2, 0.75)
    """
    curve = evaluate.pa_curve(ranks)
    gain = np.round(curve.captured - curve.volume, 12)  # so that equal is equal
    at = int(np.argmax(gain))
    return float(curve.volume[at]), float(curve.captured[at])


def left_out_ranks(run: Run, table: ModelTable) -> dict[str, Any]:
    """By deposit, volume ranks of its cells when it was left out; none if that was for another study."""
    try:
        kept = json.loads(run.path("comparison.json").read_text(encoding="utf-8"))
        found = kept["ranks"][table.kind]
        ranks = {str(name): np.asarray(values, dtype=np.float64) for name, values in found.items()}
        settings = kept.get("settings", {}).get(table.kind)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    now = settings is None or settings == table.model_dump(mode="json")
    whole = set(ranks) == {deposit.name for deposit in run.known} and all(one.size for one in ranks.values())
    return ranks if now and whole else {}
