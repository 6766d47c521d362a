"""Markup in which every text that is not markup already is escaped."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any

# Elements that have no end tag.
_VOID = frozenset({"br", "col", "hr", "img", "input", "meta"})


class Html(str):
    """Text that is markup already and is not escaped again."""

    __slots__ = ()


def escaped(thing: object) -> Html:
    """Markup of anything: nothing for None, markup as it is, all else as text.

    Examples
    --------
    >>> escaped("<script>"), escaped(Html("<b>x</b>")), escaped(None)
    ('&lt;script&gt;', '<b>x</b>', '')
    """
    if thing is None:
        return Html("")
    return thing if isinstance(thing, Html) else Html(html.escape(str(thing), quote=True))


def joined(things: Iterable[object], between: str = "") -> Html:
    """Things one after the other, each escaped unless it is markup."""
    return Html(between.join(escaped(thing) for thing in things))


def tag(name: str, /, *children: object, **attributes: Any) -> Html:
    """Make an element; text children and attribute values are escaped.

    Parameters
    ----------
    name : str
        Of the element.
    *children : object
        Text or `Html`; None is left out.
    **attributes
        ``class_`` is class, underscores are hyphens. True is an attribute without a value, None and False
        are none.

    Examples
    --------
    >>> tag("a", "1 < 2", class_="x", aria_label='say "no"', hidden=True)
    '<a class="x" aria-label="say &quot;no&quot;" hidden>1 &lt; 2</a>'
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        word = key.rstrip("_").replace("_", "-")
        parts.append(word if value is True else f'{word}="{escaped(value)}"')
    opened = f"<{' '.join(parts)}>"
    return Html(opened if name in _VOID else f"{opened}{joined(children)}</{name}>")


def data_block(identity: str, data: Any) -> Html:
    """JSON that the page's script reads; no text in it can end the element."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Html(f'<script type="application/json" id="{identity}">{safe}</script>')
