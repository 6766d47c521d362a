"""Three-dimensional mineral prospectivity mapping, from GoCAD and UBC models to ranked 3D targets."""

__version__ = "0.1.0"
