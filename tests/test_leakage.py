"""Nothing of what is tested gets into training: tests that fail when it does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from mpm3d import fit, models, splits, validate
from mpm3d.grid import Grid
from mpm3d.labels import Deposit
from mpm3d.samples import Samples

SHAPE = (16, 80, 80)
GRID = Grid(SHAPE, (50.0, 50.0, 50.0), (0.0, 0.0, 0.0), "EPSG:32651")
STAND_OFF = 200.0


def blobs(rng: np.random.Generator, n: int = 4, radius: float = 3.2) -> list[Deposit]:
    """Balls of ore at random places, apart from each other."""
    cells = np.argwhere(np.ones(SHAPE))
    margin = [4, 4, 4]
    middles: list[np.ndarray] = []
    while len(middles) < n:
        middle = rng.integers(margin, np.array(SHAPE) - margin)
        if all(np.linalg.norm(middle - other) > 14 for other in middles):
            middles.append(middle)
    near = [cells[np.linalg.norm(cells - middle, axis=1) <= radius] for middle in middles]
    return [Deposit(f"D{k}", own) for k, own in enumerate(near)]


def patches_of(fields: np.ndarray, cells: np.ndarray, size: int) -> np.ndarray:
    """Patches of a field ``(layer, z, y, x)``, NaN beyond its faces."""
    half = size // 2
    padded = np.pad(fields, [(0, 0), *[(half, half)] * 3], constant_values=np.nan)
    views = np.lib.stride_tricks.sliding_window_view(padded, (size,) * 3, axis=(1, 2, 3))
    return np.moveaxis(views[:, cells[:, 0], cells[:, 1], cells[:, 2]], 0, 1).astype(np.float32)


def drawn(
    fields: np.ndarray,
    deposits: Sequence[Deposit],
    rng: np.random.Generator,
    *,
    size: int,
    n: int = 2500,
    first: np.ndarray | None = None,
) -> Samples:
    """All deposit cells, and ``n`` cells each for the pool and the reference; some cells are sure to come."""
    ore = np.concatenate([deposit.cells for deposit in deposits])
    free = np.ones(SHAPE, dtype=bool)
    free[tuple(ore.T)] = False
    order = rng.permutation(np.argwhere(free))
    if first is not None:
        order = order[np.argsort(~first[tuple(order.T)], kind="stable")]
    others = order[: 2 * n]
    cells, counts = np.concatenate([ore, others]), [len(ore), n, n]
    return Samples(
        patches=patches_of(fields, cells, size),
        label=np.repeat(np.array([1, 0, 0], dtype=np.int8), counts),
        group=np.array([d.name for d in deposits for _ in d.cells] + [""] * (2 * n)),
        xyz=GRID.xyz_of(cells),
        source=np.repeat(["deposit", "background", "reference"], counts),
        layers=tuple("abcdefgh"[: len(fields)]),
        spacing=GRID.spacing,
    )


def maker(kind: str, layers: Sequence[str], **settings: object):
    return lambda: models.make(kind, layers, **settings)


QUICK = {
    "forest": ("forest", {"n_estimators": 12}),
    "forest, tuned": ("forest", {"n_estimators": 12, "search": 2}),
    "logistic": ("logistic", {}),
    "boosting": ("boosting", {}),
    "weights": ("weights", {}),
    "dl1": ("dl1", {"epochs": 1}),
}


@pytest.mark.parametrize("name", QUICK)
def test_a_left_out_deposit_its_neighbours_and_their_statistics_change_nothing(name):
    """Poison in every cell that a patch of the left-out deposit sees must not reach the model."""
    kind, quick = QUICK[name]
    rng = np.random.default_rng(3)
    deposits = blobs(rng)
    out = deposits[0]
    fields = rng.normal(size=(3, *SHAPE))
    poisoned = fields.copy()
    reach = (np.abs(np.argwhere(np.ones(SHAPE))[:, None] - out.cells) <= 1).all(axis=2).any(axis=1)
    poisoned[1].reshape(-1)[reach] = 1e6
    near = reach.reshape(SHAPE)  # a third of the pool lies there, as careless negatives would
    clean = drawn(fields, deposits, np.random.default_rng(1), size=3, n=800, first=near)
    poison = drawn(poisoned, deposits, np.random.default_rng(1), size=3, n=800, first=near)
    bad = (poison.patches == 1e6).any(axis=(1, 2, 3, 4))
    assert (bad & (poison.source == "background")).sum() > 200
    known = [deposit.name for deposit in deposits[1:]]

    def fitted(samples: Samples, left_out: Sequence[str]):
        return fit.fit_members(
            samples, maker(kind, samples.layers, **quick), known=known, left_out=left_out,
            stand_off=STAND_OFF, members=2, ratio=4.0, max_positives=40, seed=7,
        )  # fmt: skip

    for first, second in zip(fitted(clean, [out.name]), fitted(poison, [out.name]), strict=True):
        assert first.estimator.scaling_.to_dict() == second.estimator.scaling_.to_dict()
        seen = clean.cropped(first.estimator.patch_shape).patches[::20]
        np.testing.assert_array_equal(
            first.estimator.score_samples(seen), second.estimator.score_samples(seen)
        )
        np.testing.assert_array_equal(first.train, second.train)
        used = np.concatenate([first.train, *([] if first.stop is None else [first.stop])])
        assert not bad[used].any()
        assert not np.isin(clean.group[used], [out.name]).any()
        assert not (clean.source[used] == "reference").any()
    # the poison does reach a model that is not told to leave the deposit out
    careless = fitted(poison, [])[0].estimator.scaling_.to_dict()
    assert careless["b"]["std"] > 1000


def forest_auc(samples: Samples, train: np.ndarray, positives: np.ndarray, others: np.ndarray) -> float:
    """A forest fitted on some rows, by its AUC on others; by scikit-learn."""
    estimator = models.make("forest", samples.layers, n_estimators=10, max_depth=None)
    cropped = samples.cropped((1, 1, 1))
    estimator.fit(cropped.patches[train], samples.label[train], rng=np.random.default_rng(0))
    rows = np.concatenate([positives, others])
    return float(roc_auc_score(samples.label[rows], estimator.score_samples(cropped.patches[rows])))


def scheme_aucs(samples: Samples, seed: int) -> dict[str, float]:
    """Mean AUC of a forest by scheme, from the splits alone."""
    rng = np.random.default_rng(seed)
    positive, reference = samples.label == 1, splits.reference_rows(samples)
    found: dict[str, list[float]] = {"random": [], "block": [], "deposit": []}
    rows = splits.training_set(samples, known=samples.deposits, stand_off=STAND_OFF, rng=rng)
    train, test = splits.split_random(rows, rng=rng)
    found["random"].append(forest_auc(samples, train, test[positive[test]], test[~positive[test]]))
    for fold in splits.block_folds(samples, folds=3, buffer=150, rng=rng):
        part = samples.take(fold.train)
        inner = splits.training_set(part, known=part.deposits, stand_off=STAND_OFF, rng=rng)
        rows, other = fold.test[positive[fold.test]], np.intersect1d(fold.test, reference)
        found["block"].append(forest_auc(samples, fold.train[inner], rows, other))
    for name in samples.deposits:
        known = [other for other in samples.deposits if other != name]
        train = splits.training_set(samples, known=known, left_out=[name], stand_off=STAND_OFF, rng=rng)
        rows = np.flatnonzero(samples.group == name)
        found["deposit"].append(forest_auc(samples, train, rows, reference))
    return {scheme: float(np.mean(values)) for scheme, values in found.items()}


def noise(seed: int) -> Samples:
    """Layers without any pattern, cells independent of each other, and ore at random."""
    rng = np.random.default_rng(seed)
    return drawn(rng.normal(size=(4, *SHAPE)), blobs(rng), rng, size=1)


def smooth(seed: int) -> Samples:
    """Layers that vary over some 300 m and have nothing to do with the ore."""
    rng = np.random.default_rng(seed)
    fields = np.stack([gaussian_filter(rng.normal(size=SHAPE), 3, mode="wrap") for _ in range(6)])
    fields /= fields.std(axis=(1, 2, 3), keepdims=True)
    return drawn(fields, blobs(rng), rng, size=1)


def test_pure_noise_gives_half_under_every_scheme():
    found = [scheme_aucs(noise(seed), seed) for seed in range(3)]
    for scheme in found[0]:
        assert np.mean([aucs[scheme] for aucs in found]) == pytest.approx(0.5, abs=0.05), scheme


def test_smooth_layers_without_relation_to_ore_look_good_at_random_and_honest_in_space():
    found = [scheme_aucs(smooth(seed), seed) for seed in range(8)]
    mean = {scheme: np.mean([aucs[scheme] for aucs in found]) for scheme in found[0]}
    assert mean["random"] > 0.9
    assert mean["block"] == pytest.approx(0.5, abs=0.1)
    assert mean["deposit"] == pytest.approx(0.5, abs=0.1)


SCHEMES = ("random", "block", "deposit")


def validated(samples: Samples, seed: int) -> dict[str, float]:
    settings = validate.Settings(schemes=SCHEMES, stand_off=STAND_OFF, buffer=150.0)
    make = maker("forest", samples.layers, n_estimators=10, max_depth=None)
    found = validate.validate(samples, {"forest": make}, settings=settings, seed=seed)
    return {scheme: found.value("forest", scheme, "auc") for scheme in SCHEMES}


def test_validation_finds_nothing_in_pure_noise():
    found = [validated(noise(seed), seed) for seed in range(3)]
    for scheme in SCHEMES:
        assert np.mean([aucs[scheme] for aucs in found]) == pytest.approx(0.5, abs=0.05), scheme


def test_validation_is_honest_in_space_on_smooth_layers_without_relation_to_ore():
    found = [validated(smooth(seed), seed) for seed in range(8)]
    mean = {scheme: np.mean([aucs[scheme] for aucs in found]) for scheme in SCHEMES}
    assert mean["random"] > 0.9
    assert mean["block"] == pytest.approx(0.5, abs=0.1)
    assert mean["deposit"] == pytest.approx(0.5, abs=0.1)
