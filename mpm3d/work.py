"""A study at work: its run folder, and its grid, ground, deposits and samples, each read once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from mpm3d import cube, inputs, labels, models, topography, vectors
from mpm3d.grid import FloatArray, Grid, Index3
from mpm3d.run import RunFolder, hash_of
from mpm3d.samples import Samples, default_pool, from_cube
from mpm3d.study import AnyStudy, ModelTable, Study, sha256

log = logging.getLogger("mpm3d")


@contextmanager
def no_bar(label: str) -> Iterator[Callable[..., None]]:
    """Show no bar, where nobody watches."""
    yield lambda done, total, words="": None


class Work:
    """A study at work, on a grid or on a table of points: what is fitted and compared, and where it goes.

    Parameters
    ----------
    study : AnyStudy
        What to do.
    folder : RunFolder
        Where it goes.
    say : callable
        Takes each sentence for the user.
    bar : callable
        ``with bar(label) as progress:`` shows a step; ``progress(done, total)`` moves it on.
    """

    def __init__(
        self,
        study: AnyStudy,
        folder: RunFolder | None = None,
        *,
        say: Callable[[str], None] = log.info,
        bar: Callable[[str], Any] = no_bar,
    ) -> None:
        self.study = study
        self.folder = folder or RunFolder(study.run_folder)
        self.say = say
        self.bar = bar
        self.path = self.folder.path
        self.built = self.fitted = self.compared = False  # by this process, so that stages are said once

    @property
    def samples(self) -> Samples:
        """What models learn from and are ranked against."""
        raise NotImplementedError

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the evidence layers."""
        raise NotImplementedError

    @property
    def labels_key(self) -> str:
        """Hash of what the samples depend on."""
        raise NotImplementedError

    @property
    def flat(self) -> bool:
        """Whether patches have one cell along z."""
        return True

    @property
    def space(self) -> str:
        """What a share of the cells is a share of: a volume, or an area."""
        return "area" if self.flat else "volume"

    @property
    def drawing_rules(self) -> dict[str, Any]:
        """What the study says of samples."""
        raise NotImplementedError

    @property
    def unseen(self) -> float | None:
        """Share of the background that folds keep to rank against, where it is not drawn apart."""
        return None

    def population(self, drawn: Samples) -> int | None:
        """Eligible cells that the reference of the samples stands for; None if it stands for itself."""
        return None

    def maker(self, table: ModelTable) -> Callable[[], models.Estimator]:
        """What makes an unfitted model of a table, on the layers of the study."""
        layers = self.layers
        kind, settings = table.made_as(flat=self.flat)
        return lambda: models.make(kind, layers, **settings)

    def model_folder(self, number: int) -> str:
        """The first model is the one that predicts the volume; the others are there to compare."""
        return "model" if number == 0 else f"model_{self.study.models[number].kind}"

    def drawing(self, table: ModelTable) -> dict[str, Any]:
        """What `fit.fit_members` and `validate.Settings` have in common."""
        return {"members": table.members, "stopping": "deposit" if table.stops_early else "none"}


class Run(Work):
    """A study on a grid at work; parameters as for `Work`."""

    study: Study

    @cached_property
    def grid(self) -> Grid:
        """The cells of the study."""
        return self.study.grid.grid()

    @cached_property
    def ground(self) -> inputs.Ground | None:
        """The topography, where the study has one."""
        return inputs.ground(self.study, self.grid, self.say)

    @cached_property
    def ground_heights(self) -> FloatArray | None:
        """Elevation of the ground in metres at the centre of each column ``(y, x)``; None without one."""
        if self.ground is None:
            return None
        return topography.heights(self.grid, self.ground)

    @cached_property
    def deposits(self) -> list[labels.Deposit]:
        """Cells of every deposit, blind ones too."""
        found = [deposit for part in self._deposits_of_tables for deposit in part]
        labels.check_deposits(found)
        for table, part in zip(self.study.deposits, self._deposits_of_tables, strict=True):
            for sentence in inputs.told(table, part):
                self.say(sentence)
        return found

    @cached_property
    def _deposits_of_tables(self) -> list[list[labels.Deposit]]:
        """Deposits of each table of the study: several, where every point is one."""
        tables, found = self.study.deposits, []
        with self.bar("deposits") as progress:
            for number, table in enumerate(tables, start=1):
                found.append(inputs.deposits(self.study, table, self.grid, self.say))
                progress(number, len(tables))
        return found

    @cached_property
    def _blind_names(self) -> set[str]:
        tables = zip(self.study.deposits, self._deposits_of_tables, strict=True)
        return {deposit.name for table, part in tables if table.blind for deposit in part}

    @property
    def known(self) -> list[labels.Deposit]:
        """Deposits that models may learn from."""
        return [deposit for deposit in self.deposits if deposit.name not in self._blind_names]

    @property
    def blind(self) -> list[labels.Deposit]:
        """Deposits that no model ever sees."""
        return [deposit for deposit in self.deposits if deposit.name in self._blind_names]

    @property
    def patch_shape(self) -> Index3:
        """Cells along z, y, x of the largest patch that a model of the study takes, 3 at least along y, x."""
        width = max(3, *(table.width for table in self.study.models))
        return (1 if self.grid.is_map else width), width, width

    @cached_property
    def samples(self) -> Samples:
        """Known deposit cells, pool and reference, drawn with the seed of the study."""
        drawn = self.draw_samples(self.study.samples.background)
        rules, n = self.study.samples, len(self.known)
        if rules.max_patches != "all" and self._within(rules.max_patches) < n:
            self.say(
                f"max_patches = {rules.max_patches} with {rules.negatives_per_positive:g} negatives per "
                f"positive leaves room for {self._within(rules.max_patches)} deposit cells, and {n} deposits "
                "are known: one cell of each is used, so that none is lost. max_patches = 'all' uses all."
            )
        for note in drawn.notes:
            self.say(note)
        return drawn

    def draw_samples(self, background: int) -> Samples:
        """Known deposit cells, so many cells to rank against, and the study's pool for negatives.

        Without a number in the study, the pool grows with the negatives wanted.
        """
        rules = self.study.samples
        n_cells = sum(len(deposit.cells) for deposit in self.known)
        with self.bar("read samples"):
            return from_cube(
                cube.open(self.study.cube_place),
                self.known,
                layers=self.layers,
                patch_shape=self.patch_shape,
                background=background,
                pool=rules.pool or default_pool(n_cells, rules.negatives_per_positive),
                rng=np.random.default_rng(self.study.seed),
            )

    @cached_property
    def labels_key(self) -> str:
        """Hash of what the samples depend on; to be asked for when the cube is built."""
        named = [self.study.path(name) for t in self.study.deposits for _, name in t.paths()]
        files = [sha256(path) for one in named for path in (one, *vectors.companions(one))]
        tables = [t.model_dump() for t in self.study.deposits]
        cells = cube.hash_of(cube.open(self.study.cube_place))
        return hash_of(cells, tables, files, self.study.samples.model_dump(), self.study.seed)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the evidence layers."""
        return tuple(layer.name for layer in self.study.layers)

    @property
    def flat(self) -> bool:
        """Whether patches have one cell along z."""
        return self.grid.is_map

    @property
    def drawing_rules(self) -> dict[str, Any]:
        """What the study says of samples."""
        return self.study.samples.model_dump(mode="json")

    def population(self, drawn: Samples) -> int:
        """Cells of the study volume outside the known deposits."""
        counted = cube.open(self.study.cube_place)[cube.STUDY_VOLUME].attrs.get("n_cells", self.grid.n_cells)
        return int(counted) - int((drawn.label == 1).sum())

    def drawing(self, table: ModelTable) -> dict[str, Any]:
        """What `fit.fit_members` and `validate.Settings` have in common."""
        rules = self.study.samples
        return {
            "stand_off": rules.stand_off,
            "ratio": rules.negatives_per_positive,
            "max_positives": self._most_positives,
            **super().drawing(table),
        }

    @property
    def _most_positives(self) -> int | None:
        """Deposit cells to train on at most, at least one of each known deposit; None for all."""
        most = self.study.samples.max_patches
        return None if most == "all" else max(self._within(most), len(self.known))

    def _within(self, max_patches: int) -> int:
        """Deposit cells that leave room for their negatives."""
        return int(max_patches * (1 / (1 + self.study.samples.negatives_per_positive)))
