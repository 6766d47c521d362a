"""What is wrong with a study's inputs, in a geologist's words: values, places and deposits."""

from mpm3d.check.checked import Checked, lines, without_hash
from mpm3d.check.finding import Finding
from mpm3d.check.places import (
    covered,
    of_collars,
    of_crs,
    of_deposit,
    of_flip,
    of_grid,
    of_height,
    of_place,
)
from mpm3d.check.sample import sample_cube, sample_of
from mpm3d.check.values import (
    REACH,
    LayerReport,
    Pair,
    of_assays,
    of_pairs,
    of_sentinels,
    of_values,
    report,
)
from mpm3d.nodata import sentinels

__all__ = [
    "REACH", "Checked", "Finding", "LayerReport", "Pair", "covered", "lines", "of_assays",
    "of_collars", "of_crs", "of_deposit", "of_flip", "of_grid", "of_height", "of_pairs", "of_place",
    "of_sentinels", "of_values", "report", "sample_cube", "sample_of", "sentinels", "without_hash",
]  # fmt: skip
