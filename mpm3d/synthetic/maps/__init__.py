"""A district seen from above with a known answer: made from a seed, measured, written as files of a study."""

from mpm3d.synthetic.maps.district import FRAME, STUDY, MapDistrict, Occurrence, make, measured
from mpm3d.synthetic.maps.files import study_text, write

__all__ = ["FRAME", "STUDY", "MapDistrict", "Occurrence", "make", "measured", "study_text", "write"]
