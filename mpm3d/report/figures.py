"""The pictures of a run: which there are, what they show, and which of them flatter."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

LARGEST = 700_000
"""Bytes of a picture that is embedded as it is; larger ones are drawn with fewer colours."""


class FigureKind(NamedTuple):
    """A picture that a run may have: file name, heading, caption, the verb that makes it, and its section.

    ``{space}`` in heading and caption is "volume" or "area".
    """

    name: str
    title: str
    caption: str
    verb: str
    section: str


_V, _E = "validation", "attribution"
KINDS = (
    FigureKind(
        "success",
        "How much of the map has to be searched (success-rate curve)",
        "Deposits were left out of training one at a time. From left to right more of the {space} is "
        "taken, the best first; upwards is the share of those deposits that lies in it. Steep at "
        "the left is good, the dotted line is guessing.",
        "validate",
        _V,
    ),
    FigureKind(
        "pa_curve",
        "How much {space} for how much ore (P-A plot)",
        "Deposits were left out of training one at a time. The rising line is the share of their cells that "
        "is captured, the falling one the share of the {space} that is taken. Where they cross, a small "
        "{space} holds much of the ore. Further to the left and higher is better.",
        "validate",
        _V,
    ),
    FigureKind(
        "capture",
        "Share of a left-out deposit in the best part of the {space}",
        "The mean over deposits that the model had not seen. The dotted line is what guessing gives.",
        "validate",
        _V,
    ),
    FigureKind(
        "roc_deposit",
        "ROC, one deposit left out at a time",
        "The honest test: no sample of the tested deposit was trained on. The curve joins the cells of all "
        "deposits, so its AUC differs a little from the mean over deposits in the text.",
        "validate",
        _V,
    ),
    FigureKind(
        "roc_block",
        "ROC, spatial blocks",
        "Whole parts of space were left out. The hardest of the tests.",
        "validate",
        _V,
    ),
    FigureKind(
        "roc_random",
        "ROC, random split (optimistic)",
        "Optimistic: test samples touch training samples. It says how well a model remembers, not how well "
        "it finds. Do not judge the model by this picture.",
        "validate",
        _V,
    ),
    FigureKind(
        "score_distance",
        "Does the score only measure nearness to known ore?",
        "Line and band are what distance alone explains. Orange cells of left-out deposits above them were "
        "found for other reasons.",
        "validate",
        _V,
    ),
    FigureKind(
        "reliability",
        "Is the score a probability?",
        "On left-out deposits. A score is a probability only where its line lies on the diagonal; elsewhere "
        "it is an order and nothing more. As many samples of ore as of other ground were used, which is far "
        "more ore than in nature.",
        "validate",
        _V,
    ),
    FigureKind(
        "samples",
        "Where the samples lie",
        "What models were trained and tested on.",
        "validate",
        _V,
    ),
    FigureKind(
        "history",
        "Training",
        "Loss and accuracy by epoch, on the samples that were trained on: optimistic.",
        "validate",
        _V,
    ),
    FigureKind(
        "attribution_bar",
        "Which layers move the score",
        "Mean size of what each layer adds to the score or takes from it. It describes this model, not the "
        "cause of the ore.",
        "explain",
        _E,
    ),
    FigureKind(
        "attribution_leading",
        "Which layer moves the score most, from place to place",
        "The colour is the layer that adds most to the score there, or takes most from it. It describes this "
        "model, not the ground.",
        "explain",
        _E,
    ),
    FigureKind(
        "attribution_deposits",
        "Why each deposit scores as it does",
        "Red raises the score of a deposit, blue lowers it. Of known deposits the model explains its own "
        "memory; those marked as blind it never saw.",
        "explain",
        _E,
    ),
    FigureKind(
        "attribution_beeswarm",
        "Which values of a layer raise the score",
        "A dot is a cell. To the right, the layer raised its score; the colour is the value of the layer.",
        "explain",
        _E,
    ),
    FigureKind(
        "attribution_dependence",
        "Attribution against the value of the layer",
        "A dot is a cell. A line that rises or falls says what the model has learned; a cloud says that it "
        "depends on other layers.",
        "explain",
        _E,
    ),
)


def data_uri(png: bytes) -> str:
    """A PNG as the address of an image, with fewer colours where it is large."""
    small = png if len(png) <= LARGEST else _fewer_colours(png)
    return "data:image/png;base64," + base64.b64encode(min(small, png, key=len)).decode("ascii")


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG in pixels.

    Raises
    ------
    ValueError
        If it is no picture.
    """
    if png[:8] != b"\x89PNG\r\n\x1a\n" or len(png) < 24:
        raise ValueError("the file is no PNG picture, or it is cut off. Delete it and make it again.")
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def _fewer_colours(png: bytes) -> bytes:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        plain = picture.convert("RGB")
        plain.thumbnail((1600, 1600))
        held = io.BytesIO()
        plain.quantize(128).save(held, "PNG", optimize=True)
    return held.getvalue()
