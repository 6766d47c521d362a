"""What is explained: one fitted model of the study, against background of the study."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mpm3d
from mpm3d import cube, explain, fit, labels
from mpm3d.errors import StudyError
from mpm3d.grid import Index3
from mpm3d.models.folder import JSON_NAME, read_json
from mpm3d.run import hash_of
from mpm3d.samples import BACKGROUND
from mpm3d.work import Run


@dataclass(frozen=True, eq=False)
class Subject:
    """A fitted model and what stands in for layers that are taken away.

    Parameters
    ----------
    kind : str
        Kind of the model, as the study names it.
    explainer : Explainer
        Ready to explain.
    background : array of shape (n, layer, z, y, x)
        The background patches.
    identity : dict
        Everything that attributions depend on: ``model``, ``cube`` and ``settings``.
    removed : str
        What a layer that is taken away has, in words.
    """

    kind: str
    explainer: explain.Explainer
    background: NDArray[np.float32]
    identity: dict[str, Any]
    removed: str

    def workers(self, wanted: int | None) -> int:
        """Threads that explain side by side: only networks gain, and scikit-learn's forests must not share.

        While a forest scores, scikit-learn changes the filters of warnings, which all threads have in common.
        """
        return (wanted or os.cpu_count() or 1) if self.explainer.members[0].stops_early else 1

    @property
    def words(self) -> str:
        """Method and background in a line."""
        return f"{self.explainer.words}; {self.removed}; base {self.explainer.base:.2g}"


def subject_of(run: Run, number: int) -> Subject:
    """Load a model of the study and draw its background, the same each time.

    Parameters
    ----------
    run : Run
        The study at work; the model is fitted.
    number : int
        Which of its models.

    Raises
    ------
    StudyError
        If no negative lies beyond the stand-off.
    ImportError
        If the layers are too many to be enumerated and captum is not installed.
    """
    members, _ = fit.load_members(run.path(run.model_folder(number)))
    rules, kind = run.study.explain, run.study.models[number].kind
    background = _background(run, members[0].patch_shape)
    reference = explain.reference_of(background, removed=rules.removed)
    explainer = explain.Explainer(members, reference, seed=run.study.seed)
    return Subject(kind, explainer, background, identity_of(run, number), _removed(run, len(background)))


def identity_of(run: Run, number: int) -> dict[str, Any]:
    """What attributions by a model depend on; cheap, nothing is loaded."""
    rules, info = run.study.explain, read_json(run.path(run.model_folder(number)) / JSON_NAME)
    drawn = [run.labels_key, run.study.samples.stand_off, run.study.seed, rules.background, rules.removed]
    return {
        "model": str(info["hash"]),
        "cube": cube.hash_of(cube.open(run.study.cube_place)),
        "settings": hash_of(drawn, _sampled(len(info["layers"])), mpm3d.__version__),
    }


def _sampled(n_layers: int) -> bool:
    """Whether there are more layers than are enumerated, so that orders of them may be sampled."""
    return n_layers > explain.MOST_LAYERS


def _background(run: Run, patch_shape: Index3) -> NDArray[np.float32]:
    """Patches of the pool of negatives, beyond the stand-off, drawn with the seed of the study."""
    drawn, rules = run.samples, run.study.samples
    pool = np.flatnonzero(drawn.source == BACKGROUND)
    far = labels.distance_to_cells(drawn.xyz[pool], drawn.xyz[drawn.label == 1]) >= rules.stand_off
    if not far.any():
        raise StudyError(
            f"none of the {len(pool)} background cells lies {rules.stand_off:g} m or farther from the known "
            "deposits, so nothing can stand in for a layer that is taken away. Lower [samples] stand_off, or "
            "draw more with [samples] pool."
        )
    patches = drawn.take(pool[far]).cropped(patch_shape).patches
    rng = np.random.default_rng([run.study.seed, len("explain")])
    return explain.draw_background(patches, run.study.explain.background, rng=rng)


def _removed(run: Run, n: int) -> str:
    what = f"{n} background patches beyond {run.study.samples.stand_off:g} m from the known deposits"
    if run.study.explain.removed == "each":
        return f"a removed layer has its values in each of {what}, the score averaged over them"
    return f"a removed layer is its mean over {what}"
