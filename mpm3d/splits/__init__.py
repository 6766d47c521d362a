"""How samples are split: training sets of folds, random and spatial parts, and what they share."""

from mpm3d.splits.blocks import BlockFold, block_folds, default_buffer
from mpm3d.splits.sharing import reference_rows, shared_cells
from mpm3d.splits.training import split_random, training_set

__all__ = [
    "BlockFold",
    "block_folds",
    "default_buffer",
    "reference_rows",
    "shared_cells",
    "split_random",
    "training_set",
]
