"""Assay tables: read and checked, completed, made into log-ratios and robust components, mapped."""

from mpm3d.geochemistry.components import RobustComponents
from mpm3d.geochemistry.finding import Finding
from mpm3d.geochemistry.imputation import Imputed, Imputer, Imputing, MaskedTest, masked_value_test
from mpm3d.geochemistry.logratios import (
    balance_names,
    closure,
    clr,
    clr_inverse,
    helmert_basis,
    ilr,
    ilr_inverse,
    partition_basis,
    pivot_basis,
)
from mpm3d.geochemistry.mapping import Map, Mapping2D, block_errors, to_map
from mpm3d.geochemistry.masses import ATOMIC_MASSES, element_share, formula_of
from mpm3d.geochemistry.names import UNITS, Heading, coordinates, parse
from mpm3d.geochemistry.tables import Assays, Reading, read_assays

__all__ = [
    "ATOMIC_MASSES",
    "UNITS",
    "Assays",
    "Finding",
    "Heading",
    "Imputed",
    "Imputer",
    "Imputing",
    "Map",
    "Mapping2D",
    "MaskedTest",
    "Reading",
    "RobustComponents",
    "balance_names",
    "block_errors",
    "closure",
    "clr",
    "clr_inverse",
    "coordinates",
    "element_share",
    "formula_of",
    "helmert_basis",
    "ilr",
    "ilr_inverse",
    "masked_value_test",
    "parse",
    "partition_basis",
    "pivot_basis",
    "read_assays",
    "to_map",
]
