"""Districts with a known answer: made from a seed, measured, written as GoCAD and UBC files."""

from mpm3d.synthetic.files import PUBLISHED, QUICK, study_text, write
from mpm3d.synthetic.make import District, district
from mpm3d.synthetic.measure import Discrimination, discrimination
from mpm3d.synthetic.ore import Orebody

__all__ = [
    "PUBLISHED",
    "QUICK",
    "Discrimination",
    "District",
    "Orebody",
    "discrimination",
    "district",
    "study_text",
    "write",
]
