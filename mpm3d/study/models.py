"""Tables of ``[[models]]``: the settings of each model in words of the study."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from mpm3d.study.base import Positive, Table

Share = Annotated[float, Field(ge=0, lt=1)]
AboveZero = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class _Members(Table):
    """A model of which an ensemble may be fitted, each member with its own negatives and seed.

    With ``prune``, it is fitted on layers of which no two are correlated by more than that, found in its own
    training cells; layers named earlier in the study stay.
    """

    kind: str
    members: Positive = 1
    prune: Annotated[float, Field(gt=0, le=1)] | None = None

    @property
    def stops_early(self) -> bool:
        """Whether a deposit may be held back to decide when the training ends."""
        return True

    def parameters(self) -> dict[str, Any]:
        """The settings by the names that the model's class has for them, for `mpm3d.models.make`."""
        return self._renamed()

    @property
    def width(self) -> int:
        """Cells along the side of the patch."""
        return 1

    def made_as(self, *, flat: bool = False) -> tuple[str, dict[str, Any]]:
        """Kind and settings for `mpm3d.models.make`, on a map if ``flat``, with what prunes the layers."""
        settings = _flat(self.parameters()) if flat else self.parameters()
        if self.prune is None:
            return self.kind, settings
        shape = settings.pop("patch_shape", None)  # that of what prunes is that of its model
        return "pruned", {
            "base": self.kind, "settings": settings, "limit": self.prune, "patch_shape": shape
        }  # fmt: skip

    def _renamed(self, **names: str) -> dict[str, Any]:
        """What is set, by other names where they are given."""
        without = {"kind", "members", "early_stopping", "prune"}
        return {names.get(key, key): value for key, value in self if key not in without}


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings on patches of one cell along z, whose kernels then have no more either."""
    found = dict(settings)
    if found.get("patch_shape"):
        found["patch_shape"] = (1, *found["patch_shape"][1:])
    if "planar" in found:
        found["planar"] = True
    if found.get("settings"):
        found["settings"] = _flat(found["settings"])
    return found


class _Patched(_Members):
    """A model on a row of numbers: the cell's evidence, or with ``patch = 3`` that of 3×3×3 cells.

    On a map a patch is 3×3 cells.
    """

    patch: Positive = 1

    @property
    def width(self) -> int:
        """Cells along the side of the patch."""
        return self.patch

    @field_validator("patch")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("a patch has a cell in its middle, so an odd number such as 1 or 3 is needed")
        return value

    def _renamed(self, **names: str) -> dict[str, Any]:
        return {**super()._renamed(patch="patch_shape", **names), "patch_shape": (self.patch,) * 3}


class ForestTable(_Patched):
    """A random forest.

    ``leaf`` is the least number of training cells in a leaf, ``search`` the number of trials in which Optuna
    looks for the other settings (0: they are taken as they are). With ``balanced`` ore and background weigh
    alike in each tree.
    """

    kind: Literal["forest"]
    trees: Positive = 77
    depth: Positive = 7
    features: Positive = 3
    leaf: Positive = 1
    search: Annotated[int, Field(ge=0)] = 0
    balanced: bool = False

    def parameters(self) -> dict[str, Any]:
        """The settings by the names that the model's class has for them, for `mpm3d.models.make`."""
        return self._renamed(
            trees="n_estimators", depth="max_depth", features="max_features", leaf="min_samples_leaf"
        )


class BoostingTable(_Patched):
    """Gradient boosting of shallow trees, ``shrinkage`` making their values smaller.

    Each split tries ``feature_share`` of the layers, drawn anew, so that trees do not all look at the same.
    ``monotone`` names layers along which the score may only rise (``"increasing"``) or only fall
    (``"decreasing"``, such as with the distance to a fault: nearer is better).
    """

    kind: Literal["boosting"]
    iterations: Positive = 100
    learning_rate: AboveZero = 0.05
    depth: Annotated[int, Field(ge=1, le=6)] = 3
    leaf: Positive = 20
    shrinkage: NotNegative = 1.0
    feature_share: Annotated[float, Field(gt=0, le=1)] = 0.3
    monotone: dict[str, Literal["increasing", "decreasing"]] = Field(default={})

    def parameters(self) -> dict[str, Any]:
        """The settings by the names that the model's class has for them, for `mpm3d.models.make`."""
        found = self._renamed(
            iterations="n_estimators", depth="max_depth", leaf="min_samples_leaf", shrinkage="l2",
            feature_share="max_features",
        )  # fmt: skip
        return {**found, "monotone": dict(self.monotone) or None}


class LogisticTable(_Patched):
    """Logistic regression.

    ``shrinkage`` pulls the layers' weights towards 0, a larger one more (1 / C of scikit-learn);
    ``balanced`` lets ore and background count alike, however many there are of each.
    """

    kind: Literal["logistic"]
    shrinkage: AboveZero = 1.0
    balanced: bool = True

    def parameters(self) -> dict[str, Any]:
        """The settings by the names that the model's class has for them, for `mpm3d.models.make`."""
        return {**self._renamed(shrinkage="C"), "C": 1 / self.shrinkage}


class WeightsTable(_Members):
    """Weights of evidence, on the cell's own evidence cut into classes.

    ``bins`` classes of equal numbers of cells in each layer, or two with ``binary``; ``prior`` is the share
    of ore cells in the volume; a layer none of whose studentised contrasts reaches ``min_studentised`` is
    left out.
    """

    kind: Literal["weights"]
    bins: Annotated[int, Field(ge=2, le=1000)] = 5
    binary: bool = False
    prior: Annotated[float, Field(gt=0, lt=1)] | None = None
    min_studentised: NotNegative | None = None


class _Trained(_Members):
    """A network that is trained in ``epochs``, on some 40 batches of ``batch_size`` patches by default.

    With ``early_stopping`` one deposit is held back, and training ends when it has not been ranked better for
    ``patience`` epochs. Against memorising deposits: ``layer_dropout`` is the share of layers blanked in a
    training patch, ``offset`` and ``noise`` are standard deviations of what is added to a layer of a patch
    and to its cells (in standard deviations of the layer), ``flips`` mirrors patches along x and y,
    ``rotations`` turns them about the vertical by right angles, ``blend`` is the share of patches mixed with
    another of their class, ``weight_decay`` keeps weights small.
    """

    epochs: Positive | None = None
    early_stopping: bool = False
    patience: Positive = 8
    batch_size: Annotated[int, Field(ge=2)] = 64
    learning_rate: AboveZero = 0.001
    layer_dropout: Share = 0.3
    offset: NotNegative = 0.0
    noise: NotNegative = 0.0
    flips: bool = False
    rotations: bool = False
    blend: Annotated[float, Field(ge=0, le=1)] = 0.0
    weight_decay: NotNegative = 0.0
    device: str = "auto"

    @property
    def stops_early(self) -> bool:
        """Whether a deposit is held back to decide when the training ends."""
        return self.early_stopping


class _Convolved(_Patched, _Trained):
    """A network of kernels of 3×3×3 cells on patches of at least as many.

    ``planar`` takes kernels of one cell along z, 1×3×3, as a map does.
    """

    patch: Annotated[int, Field(ge=3)] = 3
    planar: bool = False


class NetworkTable(_Convolved):
    """A 3D residual network with (dl3, dl4) or without (dl1, dl2) lightweight attention."""

    kind: Literal["dl1", "dl2", "dl3", "dl4"]


class CbamTable(_Convolved):
    """A 3D residual network with full-size attention (CBAM) in its ``blocks``."""

    kind: Literal["cbam"]
    blocks: Annotated[int, Field(ge=1, le=2)] = 2


class DevnetTable(_Patched, _Trained):
    """A deviation network, whose ``hidden`` layers have so many numbers each."""

    kind: Literal["devnet"]
    epochs: Positive = 50
    early_stopping: bool = True
    layer_dropout: Share = 0.0
    weight_decay: NotNegative = 0.01
    hidden: Annotated[tuple[Positive, ...], Field(min_length=1)] = (200, 80, 20)


Base = Annotated[
    ForestTable | BoostingTable | LogisticTable | WeightsTable | NetworkTable | CbamTable | DevnetTable,
    Field(discriminator="kind"),
]


class PuTable(_Members):
    """Bagging for positive and unlabelled cells: the mean of ``bags`` models of ``base``.

    Each learns all deposit cells against another draw of background; with ``even`` as many cells of each
    deposit as the smallest has. ``base`` is a kind, or a table of it with its settings, such as
    ``{ kind = "forest", depth = 3 }``.
    """

    kind: Literal["pu"]
    base: Base = ForestTable(kind="forest")
    bags: Positive = 20
    even: bool = False

    @property
    def width(self) -> int:
        """As the base."""
        return self.base.width

    @property
    def stops_early(self) -> bool:
        """As the base."""
        return self.base.stops_early

    def parameters(self) -> dict[str, Any]:
        """The settings by the names that the model's class has for them, for `mpm3d.models.make`."""
        settings = self.base.parameters()
        shape = settings.pop("patch_shape", None)  # that of the bags is that of their model
        return {
            "base": self.base.kind, "settings": settings, "bags": self.bags, "even": self.even,
            "patch_shape": shape,
        }  # fmt: skip

    @field_validator("base", mode="before")
    @classmethod
    def _table_of(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @field_validator("base")
    @classmethod
    def _alone(cls, value: _Members) -> _Members:
        if value.members > 1:
            raise ValueError("the bags are the members of a base. Leave members out of base, set bags")
        if value.prune is not None:
            raise ValueError("layers are pruned once for all bags. Set prune beside base, not in it")
        return value


ModelTable = Annotated[
    (
        ForestTable
        | BoostingTable
        | LogisticTable
        | WeightsTable
        | PuTable
        | NetworkTable
        | CbamTable
        | DevnetTable
    ),
    Field(discriminator="kind"),
]

MODELS: dict[str, type[Table]] = {
    "forest": ForestTable, "boosting": BoostingTable, "logistic": LogisticTable, "weights": WeightsTable,
    "pu": PuTable, **dict.fromkeys(("dl1", "dl2", "dl3", "dl4"), NetworkTable), "cbam": CbamTable,
    "devnet": DevnetTable,
}  # fmt: skip
