"""Models that score cells: what they have in common, how they are made, saved and loaded."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mpm3d.models.folder import FORMAT, JSON_NAME, move_in, read_json, sha256, staging, versions, write_json

# module, class, and what the name of the model fixes
_MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "forest": ("forest", "Forest", {}),
    "boosting": ("boosting", "Boosting", {}),
    "logistic": ("logistic", "Logistic", {}),
    "weights": ("weights_of_evidence", "WeightsOfEvidence", {}),
    "pu": ("pu", "BaggingPU", {}),
    "dl1": ("networks", "RCNNLAM", {"blocks": 1, "attention": False}),
    "dl2": ("networks", "RCNNLAM", {"blocks": 2, "attention": False}),
    "dl3": ("networks", "RCNNLAM", {"blocks": 1, "attention": True}),
    "dl4": ("networks", "RCNNLAM", {"blocks": 2, "attention": True}),
    "cbam": ("networks", "CBAM", {}),
    "devnet": ("networks", "DeviationNetwork", {}),
    "pruned": ("pruned", "Pruned", {}),
}
KINDS = tuple(kind for kind in _MODELS if kind != "pruned")  # that one is made around any other


@runtime_checkable
class Estimator(Protocol):
    """What fitting, validation and the block engine ask of a model.

    Patches are float32 ``(sample, layer, z, y, x)`` in the layers' own units, NaN where missing. The score's
    order is what counts. Concrete models subclass `sklearn.base.BaseEstimator`.

    Attributes
    ----------
    patch_shape : tuple of int
        Cells of a patch along z, y, x, each odd.
    layers : sequence of str
        Names of the evidence layers, in the order of the patches.
    kind : str
        ``"probability"``: scores run from 0 to 1. ``"deviation"``: they have no bounds.
    stops_early : bool
        Whether ``fit`` makes use of ``validation``.
    name : str
        What `make` calls it.
    history_ : list of dict
        What happened in each epoch, empty for models without epochs.
    notes_ : tuple of str
        Sentences on layers that needed care in the fit.
    """

    patch_shape: tuple[int, int, int]
    layers: Sequence[str]
    kind: str
    stops_early: bool
    weights_name: str
    history_: list[dict[str, Any]]
    notes_: tuple[str, ...]

    @property
    def name(self) -> str:
        """What `make` calls it."""

    def fit(
        self,
        patches: NDArray[np.float32],
        labels: NDArray[Any],
        *,
        groups: NDArray[Any] | None = None,
        rng: np.random.Generator,
        validation: tuple[NDArray[np.float32], NDArray[Any]] | None = None,
        progress: Callable[[int, int], None] | None = None,
        checkpoint: Path | None = None,
    ) -> Estimator:
        """Learn filling, scaling and the model itself from labelled patches.

        A model that takes long keeps its state in the folder ``checkpoint`` and goes on from there.
        """

    def score_samples(self, patches: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        """Score each patch, high for deposits; safe to call from several threads."""

    def learned(self) -> dict[str, Any]:
        """Return what the model folder's JSON holds about the fitted model."""

    def write_weights(self, path: Path) -> None:
        """Write what the model has learned and JSON cannot hold."""

    def restore(self, learned: Mapping[str, Any], path: Path) -> None:
        """Take over what `learned` and `write_weights` have written."""


def make(kind: str, layers: Sequence[str], **settings: Any) -> Estimator:
    """Make a model that is not fitted yet.

    Parameters
    ----------
    kind : str
        One of `KINDS` or ``"pruned"``. On cells: ``"forest"``, ``"boosting"`` (monotone where told),
        ``"logistic"``, ``"weights"`` (of evidence), ``"devnet"`` (deviation network), ``"pu"`` (bagging of
        deposits and unlabelled cells, over any other), ``"pruned"`` (any other, on layers not correlated).
        On patches: the networks ``"dl1"`` and ``"dl2"`` (one and two residual blocks), ``"dl3"`` and
        ``"dl4"`` (the same with lightweight attention), ``"cbam"`` (with full-size attention).
    layers : sequence of str
        Names of the evidence layers, in the order of the patches.
    **settings
        Parameters of the class behind the kind: `forest.Forest`, `boosting.Boosting`, `logistic.Logistic`,
        `weights_of_evidence.WeightsOfEvidence`, `pu.BaggingPU`, `pruned.Pruned`, `networks.RCNNLAM`,
        `networks.CBAM` or `networks.DeviationNetwork`, each in `mpm3d.models`.

    Raises
    ------
    ValueError
        If the kind or a setting is unknown, or the layers are none or repeated; allowed ones are listed.

    Examples
    --------
    >>> forest = make("forest", ["density", "fault_distance"], n_estimators=20)
    >>> forest.patch_shape, forest.n_estimators
    ((1, 1, 1), 20)
    """
    if kind not in _MODELS:
        raise ValueError(f"there is no model {kind!r}. Choose one of {', '.join(KINDS)}.")
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"a model needs one layer or more, each named once, not {list(names)}.")
    concrete, fixed = _concrete(kind)
    allowed = [name for name in concrete._get_param_names() if name != "layers" and name not in fixed]
    unknown = [name for name in settings if name not in allowed]
    if unknown:
        raise ValueError(
            f"model {kind!r} has no setting {', '.join(map(repr, unknown))}. It has {', '.join(allowed)}."
        )
    return cast(Estimator, concrete(names, **fixed, **settings))


def _concrete(kind: str) -> tuple[Any, dict[str, Any]]:
    module, name, fixed = _MODELS[kind]
    return getattr(importlib.import_module(f"mpm3d.models.{module}"), name), fixed


def save(estimator: Estimator, folder: str | Path, *, extra: Mapping[str, Any] | None = None) -> None:
    """Write a fitted model: weights, and a ``model.json`` that says what they are.

    Everything is written beside the folder first and moved in afterwards, ``model.json`` last.

    Parameters
    ----------
    estimator : Estimator
        A fitted model.
    folder : str or Path
        Made if it is missing; a model in it is replaced.
    extra : mapping, optional
        What JSON can hold, kept under ``"extra"``.

    Raises
    ------
    ValueError
        If the model is not fitted, or ``extra`` is not JSON.
    """
    if not hasattr(estimator, "history_"):
        raise ValueError(f"model {estimator.name!r} is not fitted, there is nothing to save. Call fit first.")
    with staging(folder) as temporary:
        weights = temporary / estimator.weights_name
        estimator.write_weights(weights)
        write_json(temporary / JSON_NAME, _description(estimator, weights) | {"extra": dict(extra or {})})
        move_in(temporary, Path(folder), [weights.name, JSON_NAME])


def _description(estimator: Estimator, weights: Path) -> dict[str, Any]:
    fixed = _concrete(estimator.name)[1]
    settings = estimator.get_params(deep=False)  # type: ignore[attr-defined]
    return {
        "format": FORMAT,
        "model": estimator.name,
        "kind": estimator.kind,
        "layers": list(estimator.layers),
        "patch_shape": list(estimator.patch_shape),
        "settings": {name: value for name, value in settings.items() if name not in {*fixed, "layers"}},
        "versions": versions(),
        "weights": {"file": weights.name, "sha256": sha256(weights)},
        **estimator.learned(),
    }


def load(folder: str | Path) -> Estimator:
    """Read a model that `save` has written. Nothing in the folder is executed.

    Raises
    ------
    ValueError
        If a file is missing, truncated, changed, or from a newer format.
    """
    folder = Path(folder)
    found = read_json(folder / JSON_NAME)
    if "members" in found:
        raise ValueError(f"{folder} holds an ensemble. Read it with fit.load_members.")
    try:
        settings = dict(found["settings"])
        settings["patch_shape"] = tuple(found["patch_shape"])
        path = folder / Path(found["weights"]["file"]).name
        digest = found["weights"]["sha256"]
        estimator = make(found["model"], tuple(found["layers"]), **settings)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / JSON_NAME} does not describe a model ({error}). Fit again.") from error
    if not path.is_file():
        raise ValueError(f"{path} is missing, {JSON_NAME} names it. Copy the whole folder, or fit again.")
    if sha256(path) != digest:
        raise ValueError(
            f"{path} is not the file that {JSON_NAME} was written for: it was cut or changed, or the two "
            f"belong to different fits. Copy the whole folder again, or fit again."
        )
    try:
        estimator.restore(found, path)
    except Exception as error:  # a forged file may fail in any way inside the readers of weights
        raise ValueError(f"{path} cannot be read as {found['model']!r}: {error}. Fit again.") from error
    return estimator
