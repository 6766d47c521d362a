"""Every figure of the table of targets against a slow and obvious way to get it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mpm3d.targets import TERMS, Settings, delineate_by
from tests.test_targets import GRID, dataset, sizes

DZ, DY, DX = GRID.spacing
Z0, Y0, X0 = GRID.corner
CELL = DZ * DY * DX


class Slow:
    """A volume in one piece, and what the table must say of it."""

    def __init__(self, score, known, rules, *, ground, spread, flag):
        self.score, self.known, self.rules = score.astype(np.float32), known, rules
        self.ground = np.full(GRID.shape[1:], Z0 + GRID.shape[0] * DZ) if ground is None else ground
        self.spread, self.flag = spread, flag
        self.owner = np.full(GRID.shape, -1)
        for number, cells in enumerate(known.values()):
            self.owner[tuple(np.asarray(cells).T)] = number
        self.eligible = ~np.isnan(self.score) & (self.owner < 0)
        self.n = int(self.eligible.sum())
        self.threshold = np.float32(rules.value) if rules.share is None else self.cut(rules.share)
        self.zone = self.score >= self.threshold
        self.taken = (self.zone & self.eligible).sum() / self.n

    def cut(self, share):
        return np.sort(self.score[self.eligible])[::-1][max(1, round(share * self.n)) - 1]

    def bodies(self, inside):
        labels, n = ndimage.label(inside, np.ones((3, 3, 3)))
        masks = [labels == k + 1 for k in range(n)]
        return [mask for mask in masks if mask.sum() * CELL >= self.rules.min_volume]

    def is_zone(self, mask):
        return (mask & self.eligible).sum() > 0.05 * self.n

    def parts(self, mask, share, threshold):
        """The bodies in a zone, each at the first threshold at which it is none."""
        while round(share * self.n) > 1:
            share /= 2
            higher = self.cut(share)
            if higher > threshold:
                found = []
                for body in self.bodies(mask & (self.score >= higher)):
                    found += self.parts(body, share, higher) if self.is_zone(body) else [body]
                return found
        return []

    def rows(self):
        """Figures by the cells of each body."""
        rows = {}
        for mask in self.bodies(self.zone):
            rows[cells_of(mask)] = self.row(mask, self.is_zone(mask), None)
            if self.is_zone(mask) and self.rules.split:
                for part in self.parts(mask, self.taken, self.threshold):
                    rows[cells_of(part)] = self.row(part, False, cells_of(mask))
        return rows

    def row(self, mask, is_zone, parent):
        at = np.argwhere(mask)
        centre = (at + 0.5) * GRID.spacing + GRID.corner  # z, y, x
        depth = self.ground[at[:, 1], at[:, 2]] - centre[:, 0]
        scores = self.score[mask].tolist()
        held = sorted(set(self.owner[mask].tolist()) - {-1})
        n_held = int((self.owner[mask] >= 0).sum())
        kind = "new" if not n_held else "known deposit" if 2 * n_held >= len(at) else "extension"
        row = {
            "parent": parent, "kind": "zone" if is_zone else kind, "n_cells": len(at),
            "volume_m3": len(at) * CELL,
            "x": centre[:, 2].mean(), "y": centre[:, 1].mean(), "elevation": centre[:, 0].mean(),
            "x_min": X0 + at[:, 2].min() * DX, "x_max": X0 + (at[:, 2].max() + 1) * DX,
            "y_min": Y0 + at[:, 1].min() * DY, "y_max": Y0 + (at[:, 1].max() + 1) * DY,
            "z_base": Z0 + at[:, 0].min() * DZ, "z_top": Z0 + (at[:, 0].max() + 1) * DZ,
            "depth_top": depth.min() - DZ / 2 if math.isnan(depth.min()) else max(0, depth.min() - DZ / 2),
            "depth_base": depth.max() + DZ / 2,
            "mean_score": math.fsum(scores) / len(at), "peak_score": max(scores),
            "spread": math.nan if self.spread is None else float(self.spread[mask].astype(float).mean()),
            "extrapolated": self.extrapolated(mask),
            "deposit": "; ".join(list(self.known)[k] for k in held), "distance_m": self.distance(centre),
        }  # fmt: skip
        return row | {"terms": self.terms(row)}

    def extrapolated(self, mask):
        if self.flag is None:
            return math.nan
        known = self.flag[mask & (self.flag != 255)]
        return float(np.mean(known == 1)) if len(known) else math.nan

    def distance(self, centre, name=None):
        chosen = self.known if name is None else {name: self.known[name]}
        cells = [cell for each in chosen.values() for cell in np.asarray(each).tolist()]
        if not cells:
            return math.nan
        ore = (np.array(cells) + 0.5) * GRID.spacing + GRID.corner
        return min(float(np.sqrt(((one - ore) ** 2).sum(axis=1)).min()) for one in centre)

    def terms(self, row):
        """As the README says: each between 0 and 1."""
        width = float(np.nanmax(self.score)) - float(self.threshold)
        lowest, most = 1, max(1, 0.05 * self.n)
        deepest = np.nanmax(self.ground) - Z0
        found = {
            "score": (row["mean_score"] - float(self.threshold)) / width,
            "spread": 1 - row["spread"] / width,
            "volume": math.log(row["n_cells"] / lowest) / math.log(most / lowest),
            "depth": 1 - row["depth_top"] / deepest,
            "distance": row["distance_m"] / self.rules.stand_off,
        }
        return {name: value if math.isnan(value) else min(1, max(0, value)) for name, value in found.items()}


def cells_of(mask):
    return frozenset(map(tuple, np.argwhere(mask).tolist()))


def ranking_of(terms, weights, lost):
    used = {name: weight for name, weight in weights.items() if weight > 0 and name not in lost}
    used = {name: weight for name, weight in (used or {"score": 1}).items() if not math.isnan(terms[name])}
    return sum(w * terms[name] for name, w in used.items()) / sum(used.values()) if used else terms["score"]


@st.composite
def volumes(draw):
    """A volume, its known deposits and how it is cut."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    score = rng.random(GRID.shape)
    if draw(st.booleans()):
        score = ndimage.gaussian_filter(score, draw(st.sampled_from([0.7, 1.5])))
    if draw(st.booleans()):
        score = np.round(score, 1 if score.std() > 0.1 else 2)  # ties
    score[rng.random(GRID.shape) < 0.05] = np.nan
    ore = rng.random(GRID.shape) < 0.02
    known = {"A": np.argwhere(ore), "B": np.argwhere((rng.random(GRID.shape) < 0.02) & ~ore)}
    known = known if draw(st.booleans()) else {}
    weights = dict(zip(TERMS, rng.integers(0, 4, len(TERMS)).tolist(), strict=True))
    begins = {"share": draw(st.floats(0.01, 0.6))}
    if draw(st.booleans()):
        begins = {"value": float(np.nanquantile(score, 1 - begins["share"]))}
    rules = Settings(
        **begins, min_volume=draw(st.integers(0, 4)) * CELL, split=draw(st.booleans()),
        weights=weights if sum(weights.values()) else {"score": 1.0},
        stand_off=draw(st.sampled_from([50, 400])),
    )  # fmt: skip
    ground = rng.normal(size=GRID.shape[1:]) * 100
    ground[rng.random(ground.shape) < 0.02] = np.nan
    flag = rng.choice([0, 1, 255], GRID.shape, p=[0.6, 0.3, 0.1]) if draw(st.booleans()) else None
    return score, known, rules, {
        "ground": draw(st.sampled_from([None, ground])),
        "spread": rng.random(GRID.shape).astype(np.float32) * 0.2 if draw(st.booleans()) else None,
        "flag": flag,
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(volumes(), sizes)
def test_every_figure_of_the_table_is_what_a_slow_way_finds(volume, chunks):
    score, known, rules, more = volume
    slow = Slow(score, known, rules, **more)
    if not np.nanmax(slow.score) > slow.threshold:
        return  # one score only
    layers = {"spread": more["spread"], "extrapolation": more["flag"]}
    ds = dataset(score, chunks=chunks, **{name: one for name, one in layers.items() if one is not None})
    made = delineate_by(ds, known, rules, ground=more["ground"])
    rows = slow.rows()
    assert np.float32(made.threshold) == slow.threshold
    assert (made.n_eligible, made.n_zone) == (slow.n, slow.zone.sum())
    assert made.share == pytest.approx(slow.taken)
    found = {frozenset(map(tuple, target.cells.tolist())): target for target in made.targets}
    assert set(found) == set(rows)
    lost = {name for name in TERMS if rows and all(math.isnan(row["terms"][name]) for row in rows.values())}
    for cells, target in found.items():
        row = rows[cells]
        assert (target.kind, target.deposit) == (row["kind"], row["deposit"])
        assert target.zone == (found[row["parent"]].id if row["parent"] else "")
        for name in set(row) - {"parent", "kind", "deposit", "terms"}:
            assert getattr(target, name) == pytest.approx(row[name], rel=1e-9, abs=1e-9, nan_ok=True), name
        expected = ranking_of(row["terms"], rules.weights, lost)
        assert target.ranking == pytest.approx(expected, rel=1e-6, abs=1e-6)
        assert 0 <= target.ranking <= 1
        if known:  # of two that are as near, either
            centre = (np.array(sorted(cells)) + 0.5) * GRID.spacing + GRID.corner
            assert slow.distance(centre, target.nearest_deposit) == pytest.approx(target.distance_m)
    check_order(made)


def check_order(made):
    """Known deposits after all others, zones last, each by falling ranking; ids and ranks in that order."""
    place = [("known deposit", "zone").index(t.kind) + 1 if t.kind in ("known deposit", "zone") else 0
             for t in made.targets]  # fmt: skip
    assert place == sorted(place)
    assert [target.rank for target in made.targets] == list(range(1, len(made.targets) + 1))
    listed = [target.id for target in made.targets if target.kind != "zone"]
    assert [int(name[1:]) for name in listed] == list(range(1, len(listed) + 1))
    zones = [target.id for target in made.targets if target.kind == "zone"]
    assert zones == [f"Z{k + 1}" for k in range(len(zones))]
    for one, other, same in zip(made.targets, made.targets[1:], np.diff(place) == 0, strict=False):
        assert not same or one.ranking >= other.ranking
