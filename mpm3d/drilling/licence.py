"""Ground that may be drilled from: polygons of a GIS file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mpm3d.errors import FormatError

_PIECES = 200  # that the longest side of a licence is cut into before it is projected


def read_licence(path: str | Path, crs: str) -> Any:
    """Read the polygons of all layers of a file as one area.

    Parameters
    ----------
    path : str or Path
        A GeoPackage, GeoJSON, shapefile or another file of polygons that GDAL reads.
    crs : str
        Coordinate system that the area is projected to. Long sides are cut into pieces first, as they are
        straight in the coordinates of the file.

    Returns
    -------
    shapely Polygon or MultiPolygon
        The union, with its holes; its x and y are those of ``crs``.

    Raises
    ------
    FormatError
        If the file cannot be read, does not say its coordinate system, holds no polygon, or does not fit
        into ``crs``.
    """
    import numpy as np
    import shapely

    place = Path(path)
    areas = [area for frame in _frames(place) for area in _projected(place, frame, crs)]
    if not areas:
        raise FormatError(
            place, "it holds no polygon. Collars are to lie inside polygons: export the licence as these."
        )
    union = shapely.union_all(areas)
    if not np.isfinite(union.bounds).all():
        raise FormatError(place, f"its polygons cannot be projected to {crs}. Check its coordinate system.")
    return union


def _frames(place: Path) -> list[Any]:
    """Every layer that has geometry."""
    import geopandas

    try:
        found = geopandas.list_layers(place)
        layers = found.loc[found["geometry_type"].notna(), "name"].astype(str)
        return [geopandas.read_file(place, layer=name, engine="pyogrio") for name in layers]
    except (RuntimeError, ValueError, OSError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FormatError(
            place,
            f"its polygons cannot be read ({said}). Export the licence as GeoPackage, GeoJSON or shapefile.",
        ) from error


def _projected(place: Path, frame: Any, crs: str) -> list[Any]:
    """Polygons of a layer in the coordinate system of the study."""
    import shapely

    shapes = frame.geometry[frame.geometry.notna() & ~frame.geometry.is_empty]
    shapes = shapes[shapes.geom_type.isin(["Polygon", "MultiPolygon", "GeometryCollection"])]
    if not len(shapes):
        return []
    if shapes.crs is None:
        raise FormatError(
            place,
            "it does not say its coordinate system, so its polygons may lie anywhere. Export it with one "
            "(a shapefile keeps it in its .prj).",
        )
    shapes = shapes.force_2d().make_valid()
    if not shapes.crs.equals(crs, ignore_axis_order=True):
        low_x, low_y, high_x, high_y = shapes.total_bounds
        side = max(high_x - low_x, high_y - low_y) / _PIECES
        shapes = (shapes.segmentize(side) if side > 0 else shapes).to_crs(crs)
    parts = shapely.get_parts(shapes.explode(index_parts=False).to_numpy())
    return [part for part in parts if part.geom_type in ("Polygon", "MultiPolygon")]
