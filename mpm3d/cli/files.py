"""The verbs of files: say what is in them, make another format of them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mpm3d.cli.talk import plainly, say


class _Registration(StrEnum):
    CENTER = "center"
    CORNER = "corner"


class _Errors(StrEnum):
    STRICT = "strict"
    SKIP = "skip"


class _ByteOrder(StrEnum):
    BIG = "big"
    LITTLE = "little"


class _Sense(StrEnum):
    UP = "up"
    DOWN = "down"


class _Method(StrEnum):
    NEAREST = "nearest"
    LINEAR = "linear"
    AVERAGE = "average"


class _Mesh(StrEnum):
    UBC = "ubc"
    LEAPFROG = "leapfrog"


# how files are read, the same for every verb that reads them
Registration = Annotated[_Registration, typer.Option(help="What the samples of a voxet are in its cells.")]
MeshPath = Annotated[Path | None, typer.Option(help="The mesh of UBC model files.", metavar="MESH")]
Missing = Annotated[
    list[float] | None,
    typer.Option(help="Stands for air in UBC models, instead of the usual values; give it again for more."),
]
ZPositive = Annotated[_Sense | None, typer.Option(help="Sense of z in resistivity tables.")]
Centre = Annotated[
    tuple[float, float, float] | None,
    typer.Option(help="Centre of ModEM models: x, y, elevation.", metavar="X Y Z"),
]
Errors = Annotated[_Errors, typer.Option(help="Refuse damage, or leave it out.")]
ByteOrder = Annotated[_ByteOrder, typer.Option(help="Of GoCAD's binary values.")]
AllowOutside = Annotated[
    bool, typer.Option("--allow-outside", help="Let headers name files outside their folder.")
]


def _text(choice: StrEnum | None) -> str | None:
    return None if choice is None else str(choice)


def inspect(
    files: Annotated[list[Path], typer.Argument(help="Files of any format that is read.", metavar="FILE...")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw everything into one PNG.", metavar="OUT.PNG")
    ] = None,
    registration: Registration = _Registration.CENTER,
    mesh: MeshPath = None,
    missing: Missing = None,
    z_positive: ZPositive = None,
    centre: Centre = None,
    errors: Errors = _Errors.STRICT,
    byte_order: ByteOrder = _ByteOrder.BIG,
    allow_outside: AllowOutside = False,
) -> None:
    """Say what is in files: objects, sizes, bounds, values, and what the reader decided."""
    from mpm3d import inspection
    from mpm3d.io import Options

    options = Options(
        str(errors), str(byte_order), allow_outside, mesh, tuple(missing) if missing else None,
        _text(z_positive), centre,
    )  # fmt: skip
    entries = (inspection.inspect_file(path, options, registration=str(registration)) for path in files)
    sound = inspection.report(entries, as_json=as_json, plot=plot)
    if not sound:
        raise typer.Exit(1)


def convert(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Files to read (a UBC mesh first, then its models), and last the one to write.",
            metavar="IN... OUT",
        ),
    ],
    spacing: Annotated[
        float | None, typer.Option(help="Resample models onto cells of this size.", metavar="METRES")
    ] = None,
    like: Annotated[
        Path | None, typer.Option(help="Resample models onto the cells of a cube.", metavar="CUBE.ZARR")
    ] = None,
    method: Annotated[_Method, typer.Option(help="How to resample.")] = _Method.NEAREST,
    crs: Annotated[
        str | None, typer.Option(help="Coordinate system of x and y; nothing is projected.", metavar="EPSG:…")
    ] = None,
    properties: Annotated[
        list[str] | None, typer.Option("--property", help="Only these values; give it again for more.")
    ] = None,
    format_: Annotated[_Mesh | None, typer.Option("--format", help="What an .msh shall be.")] = None,
    registration: Registration = _Registration.CENTER,
    mesh: MeshPath = None,
    missing: Missing = None,
    z_positive: ZPositive = None,
    centre: Centre = None,
    errors: Errors = _Errors.STRICT,
    byte_order: ByteOrder = _ByteOrder.BIG,
    allow_outside: AllowOutside = False,
) -> None:
    """Make another format of files, or of a cube: the suffix of the last name says which."""
    with plainly():
        from mpm3d import exchange
        from mpm3d.io.options import Options, as_flags

        options = Options(
            str(errors), str(byte_order), allow_outside, mesh, tuple(missing) if missing else None,
            _text(z_positive), centre,
        )  # fmt: skip
        choices = exchange.Choices(
            options, str(registration), spacing, like, str(method), crs, tuple(properties or ()),
            _text(format_),
        )  # fmt: skip
        exchange.convert(files[:-1], files[-1], choices, lambda text: say(as_flags(text)))
