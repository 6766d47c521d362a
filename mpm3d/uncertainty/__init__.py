"""How far a score can be believed: training domain, agreement of models, calibration on left-out deposits."""

from __future__ import annotations

from mpm3d.uncertainty.agreement import agreement, rank_spread
from mpm3d.uncertainty.calibration import METHODS, Calibration, calibrate, calibrate_ranks
from mpm3d.uncertainty.domain import DOMAIN_NAME, Domain, load_domain, save_domain
from mpm3d.uncertainty.venn_abers import venn_abers

__all__ = [
    "DOMAIN_NAME", "METHODS", "Calibration", "Domain", "agreement", "calibrate", "calibrate_ranks",
    "load_domain", "rank_spread", "save_domain", "venn_abers",
]  # fmt: skip
