"""Rasters: GeoTIFF, Surfer and ER Mapper through GDAL; text grids, netCDF, Geosoft, GXF by the same door."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from mpm3d.errors import FormatError
from mpm3d.grid import FloatArray
from mpm3d.io import ermapper, geosoft, gxf, netcdf, textgrid
from mpm3d.io.files import read_head, stem_of
from mpm3d.io.mapgrid import Cells, crs_notes, known_crs, suspect_codes
from mpm3d.io.options import Options
from mpm3d.io.raster_write import write_geotiff, write_levels
from mpm3d.lattice import Raster

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["lacks_crs", "matches", "read_bodies", "read_grid", "read_raster", "write_geotiff", "write_levels"]

# how the files begin, and the only driver of GDAL that may open them then
_HEADS = (
    (rb"(?s)II(\*|\+)\0|MM\0(\*|\+)", "GTiff"),
    (rb"DSBB", "GSBG"),
    (rb"DSRB", "GS7BG"),
    (rb"(?i)\s*DatasetHeader\s+Begin\b", "ERS"),
)
_SURFER = ("GSBG", "GS7BG")
# bytes of the header, and of each value, where nothing is compressed
_LEAST_BYTES = {"GSBG": (56, 4), "GS7BG": (100, 8)}
# a raster of more than so many bytes must not be so many times larger than its file
_LARGE, _MOST_PACKED = 10**9, 2000


def matches(path: Path, head: bytes) -> bool:
    """Whether the first bytes are those of a GeoTIFF, Surfer, ER Mapper, ESRI ASCII or netCDF grid."""
    return textgrid.matches(head) or netcdf.matches(head) or _driver(head) is not None


def _driver(head: bytes) -> str | None:
    return next((driver for mark, driver in _HEADS if re.match(mark, head)), None)


def read_bodies(path: Path, options: Options) -> list[Raster]:
    """Every grid of a file, one for each variable or page that it holds; see `read_grid`."""
    return _read(Path(path), outside=options.outside)


def read_grid(path: str | Path, *, outside: bool = False) -> Raster:
    """Read all bands of a raster.

    Parameters
    ----------
    path : str or Path
        GeoTIFF, Surfer (DSAA, DSBB, DSRB), ER Mapper header (``.ers``), Geosoft, GXF, ESRI ASCII, netCDF or
        any other raster that GDAL reads; gzipped ones too if they are of one file.
    outside : bool
        Whether an ER Mapper header may name a data file outside its own folder.

    Returns
    -------
    Raster
        Values by band, named by its description, ``band_1`` and so on, or like the file if there is only one;
        NaN where there is no data; scale and offset of a band applied. Rotated ones have a frame.

    Raises
    ------
    FormatError
        If nothing reads it, it has no coordinates, it is truncated, its header claims more than its file can
        hold, or it holds several grids.
    """
    return _single(path, _read(Path(path), outside=outside))


def lacks_crs(path: str | Path) -> bool:
    """Whether a raster could name its coordinate system and does not, by its header alone.

    Parameters
    ----------
    path : str or Path
        Any file.

    Returns
    -------
    bool
        False for grids whose format has no place for it, or seldom uses it: Surfer, text grids, Geosoft, GXF
        and netCDF; and for what is no raster, or cannot be opened or placed, which `read_grid` says.
    """
    from rasterio.errors import CRSError, RasterioError

    place = Path(path)
    if not place.is_file():
        return False
    head = read_head(place)
    driver = _driver(head)
    if driver is None or driver in _SURFER:
        return False
    try:
        if driver == "ERS":
            ermapper.check_header(place, head, outside=False)
        with _opened(_gdal_name(place), driver) as source:
            return bool(source.count) and not source.transform.is_identity and not _crs(source)[0]
    except (RasterioError, CRSError, UnicodeDecodeError, FormatError):
        return False


def _single(path: str | Path, found: list[Raster]) -> Raster:
    if len(found) > 1:
        names = ", ".join(repr(grid.name) for grid in found[:8])
        _fail(path, f"the file holds {len(found)} grids: {names}. Read them all with io.read, or export one.")
    return found[0]


def read_raster(path: str | Path, *, band: int = 1) -> xr.DataArray:
    """Read one band of a raster, such as a topography.

    Parameters
    ----------
    path : str or Path
        Any raster that `read_grid` reads, in metres, its rows along y and x.
    band : int
        Counted from 1.

    Returns
    -------
    xarray.DataArray
        ``(y, x)``, coordinates of the cell centres, both ascending, NaN where there is no data, named like
        the file. The coordinate system, if the file has one, is at ``.rio.crs``.

    Raises
    ------
    FormatError
        If it cannot be read, the band does not exist, or the grid has no coordinates or is rotated.
    """
    import rioxarray  # noqa: F401
    import xarray as xr

    grid = _single(path, _read(Path(path), bands=(band,)))
    if grid.frame is not None:
        _fail(path, "the grid is rotated, rows along y and x are needed. Warp it north-up first.")
    values = next(iter(grid.values.values()))
    data = xr.DataArray(values, {"y": grid.y, "x": grid.x}, ("y", "x"), stem_of(path))
    known = known_crs(grid.crs_name) if grid.crs_name else None
    written: xr.DataArray = data.rio.write_crs(known) if known is not None else data
    return written


def _fail(path: str | Path, reason: str) -> NoReturn:
    raise FormatError(path, reason)


def _read(path: Path, *, bands: Sequence[int] | None = None, outside: bool = False) -> list[Raster]:
    """The grids of a file, all bands of them or some."""
    from rasterio.errors import CRSError, RasterioError

    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}.")
    head = read_head(path)
    found = _own(path, head)
    if found:
        _check_bands(path, bands, 1)
        return found
    driver = _driver(head)
    name = _gdal_name(path)
    if driver == "ERS":
        if name != str(path.absolute()):
            _fail(path, "the ER Mapper header is gzipped, so its data cannot be found. Unpack it first.")
        ermapper.check_header(path, head, outside=outside)
    try:
        with _opened(name, driver) as source:
            if not source.count or (bands is None and source.subdatasets):
                return _parts(path, source, driver, bands)
            return [_grid(path, source, stem_of(path), bands)]
    except (RasterioError, CRSError, UnicodeDecodeError) as error:  # GDAL may quote what is no text
        _fail(path, f"GDAL does not read this raster ({error.__cause__ or error}).{_advice(path)}")


def _own(path: Path, head: bytes) -> list[Raster]:
    """Grids of the formats that GDAL does not read, not exactly, or not safely; none for others."""
    if netcdf.matches(head):
        return netcdf.read_grids(path)
    if geosoft.matches(path, head):
        return [geosoft.read_grid(path)]
    if gxf.matches(path, head):
        return [gxf.read_grid(path)]
    return [textgrid.read_grid(path)] if textgrid.matches(head) else []


def _gdal_name(path: Path) -> str:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return f"/vsigzip/{path.absolute()}" if packed else str(path.absolute())


def _advice(path: Path) -> str:
    """What to do: the data of ER Mapper has no header of its own."""
    for header in (path.with_name(path.name + ".ers"), path.with_suffix(".ers")):
        if header != path and header.exists():
            return f" It belongs to {header.name!r} beside it: open that file instead."
    return " It may be truncated or damaged: copy it again."


@contextmanager
def _opened(name: str, driver: str | None) -> Iterator[Any]:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        # rasterio multiplies transforms in a way that affine 3 wants to give up
        warnings.filterwarnings("ignore", "Use `@` matmul", PendingDeprecationWarning)
        with rasterio.open(name, driver=driver) as source:
            yield source


def _parts(path: Path, source: Any, driver: str | None, bands: Sequence[int] | None) -> list[Raster]:
    """The grids of a file of several variables or pages."""
    found = []
    for number, name in enumerate(source.subdatasets, start=1):
        label = number if driver == "GTiff" else name.rsplit(":", 1)[-1].strip('"/')
        with _opened(name, driver) as part:
            found.append(_grid(path, part, f"{stem_of(path)}_{label}", bands))
    if not found:
        _fail(path, "there are no bands in this raster.")
    return found


def _check_bands(path: Path, bands: Sequence[int] | None, count: int) -> Sequence[int]:
    for band in bands or ():
        if not 1 <= band <= count:
            _fail(path, f"band {band} is asked for, the raster has 1 to {count}.")
    return range(1, count + 1) if bands is None else bands


def _check_size(path: Path, source: Any) -> None:
    """Refuse what cannot be in the file, before memory is taken for it."""
    cells = source.height * source.width
    size = sum(file.stat().st_size for name in source.files if (file := Path(name)).is_file())
    size = size or path.stat().st_size
    header, each = _LEAST_BYTES.get(source.driver, (0, 0))
    packed = str(source.name).startswith("/vsigzip/")
    claimed = cells * sum(np.dtype(dtype).itemsize for dtype in source.dtypes)
    short = not packed and header + cells * each > size
    if short or (claimed > _LARGE and claimed > _MOST_PACKED * size):
        _fail(
            path,
            f"the header claims {source.height} × {source.width} cells in {source.count} bands, the file has "
            f"{size:,} bytes. It is truncated or damaged.",
        )


def _grid(path: Path, source: Any, name: str, bands: Sequence[int] | None) -> Raster:
    bands = _check_bands(path, bands, source.count)
    _check_size(path, source)
    if source.transform.is_identity:
        _fail(path, "the grid has no coordinates. Give it a georeference first (gdal_edit).")
    cells = Cells.from_affine(path, tuple(source.transform)[:6], source.shape)
    values, units = {}, {}
    notes: list[str] = []
    single = name if source.count == 1 else ""
    for band in _bands(source, bands, single):
        array, more = _values(path, source, band)
        values[band.label] = array[cells.order]
        notes += more
        if band.unit:
            units[band.label] = band.unit
    # GDAL turns the rows of Surfer grids round: the file begins in the south
    first = (float(cells.x[0]), float(cells.y[0])) if source.driver in _SURFER else cells.first
    crs, more = _crs(source)
    return Raster(
        name, cells.y, cells.x, values, frame=cells.frame, layout=_layout(source, cells), first_centre=first,
        kind=_kind(source), units=units, crs_name=crs, notes=(*notes, *more, *crs_notes(crs)),
    )  # fmt: skip


def _kind(source: Any) -> str:
    if source.driver in _SURFER:
        return "Surfer grid"
    return "ER Mapper grid" if source.driver == "ERS" else "raster"


class _Band(NamedTuple):
    """What a file says of one band."""

    number: int
    label: str
    unit: str | None
    dtype: np.dtype[Any]
    scale: float
    offset: float
    code: float | None


def _bands(source: Any, bands: Sequence[int], single: str) -> list[_Band]:
    """The bands, named by their description, or their number; like the file if it has only one."""
    # each of these looks at all bands
    said, units, dtypes = source.descriptions, source.units, source.dtypes
    scales, offsets, codes = source.scales, source.offsets, source.nodatavals
    found: dict[str, _Band] = {}
    for number in bands:
        k = number - 1
        label = said[k] or single or f"band_{number}"
        label = f"{label}_{number}" if label in found else label
        dtype = np.dtype(dtypes[k])
        found[label] = _Band(number, label, units[k], dtype, scales[k], offsets[k], codes[k])
    return list(found.values())


def _values(path: Path, source: Any, band: _Band) -> tuple[FloatArray, list[str]]:
    """Values of a band as GDAL has its rows, NaN where there is none, and what was done to them."""
    if band.dtype.kind not in "iuf":
        _fail(path, f"band {band.number} holds numbers of the type {band.dtype.name}, real ones are needed.")
    read = source.read(band.number, masked=True)
    values = read.data.astype(np.result_type(band.dtype, np.float32), copy=False)
    values[np.ma.getmaskarray(read)] = np.nan
    if source.driver in _SURFER:
        with np.errstate(invalid="ignore"):
            values[values >= textgrid.SURFER_BLANK] = np.nan
    values[~np.isfinite(values)] = np.nan
    notes = []
    if (band.scale, band.offset) != (1, 0):
        values = values.astype(np.float64) * band.scale + band.offset
        values[~np.isfinite(values)] = np.nan
        scaled = f"stored × {band.scale:g} + {band.offset:g}"
        notes.append(f"{band.label}: values are {scaled}, as the file says.")
    if band.code is None:
        notes += suspect_codes(band.label, values)
    return values, notes


def _layout(source: Any, cells: Cells) -> str:
    """The order of the values in a sentence."""
    if source.driver in _SURFER:
        return textgrid.SURFER_LAYOUT
    corner = "first" if cells.frame is not None else "north-western" if cells.from_north else "south-western"
    order = f"From the {corner} cell along the rows, one row after the other."
    if source.driver == "ERS":
        return (
            f"{order} The values are of cells: the registered coordinates are the upper left corner of one. "
            "Where they came from points, as from Surfer, bounds are half a cell wider than these."
        )
    if source.tags().get("AREA_OR_POINT") == "Point":
        return f"{order} The values are of points; cells reach half a step around them."
    return f"{order} The values are of cells."


def _crs(source: Any) -> tuple[str, list[str]]:
    """EPSG code, if there is one of the same parameters, or WKT."""
    crs = source.crs
    if not crs:
        return "", []
    wkt = str(crs.to_wkt())
    if re.match(r"(LOCAL_CS|ENGCRS|ENGINEERINGCRS)\b", wkt):
        return "", ["the file says that its coordinates are local, so it has no coordinate system."]
    code = crs.to_epsg()
    return (wkt if code is None else f"EPSG:{code}"), []
