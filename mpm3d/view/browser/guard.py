"""Who may speak to the browser app: the address that was printed, and nobody else."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from aiohttp import web

    _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TOKEN = re.compile(r"[A-Za-z0-9_-]*")
_WRONG_TOKEN = "This page opens only at the whole address that mpm3d printed, with its token."
_WRONG_HOST = "This page answers only to the address that mpm3d printed, not to another name of this machine."
_WRONG_ORIGIN = "This page does not answer to pages of other sites."
_OUTSIDE = "This page serves no file outside its own."
# 'unsafe-eval': the client compiles the page in the browser. Nothing at all comes from another machine.
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; "
    "style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data: blob:; "
    "connect-src 'self' ws://{host}; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)


def make_token(token: str | None) -> str:
    """Token of an address: a new one for None, none for ``""``, or the one given.

    Parameters
    ----------
    token : str or None
        Letters, digits, ``-`` and ``_``.

    Raises
    ------
    ValueError
        If it holds anything else.
    """
    if token is None:
        return secrets.token_urlsafe(24)
    if not _TOKEN.fullmatch(token):
        raise ValueError(
            f"the token {token!r} cannot stand in an address, use letters, digits, - and _ only, "
            "or none at all: then a random one is made."
        )
    return token


class Guard:
    """Decides on each request, web sockets included, before anything else sees it.

    The websocket library has a secret of its own, but that protects calls on an open socket only: pages,
    scripts and the socket's opening are free to all. So the token stands in front of every path.

    Parameters
    ----------
    token : str
        First part of every path; ``""`` for none.
    host : str
        Address that the server listens on.
    """

    def __init__(self, token: str, host: str) -> None:
        self.token = token
        self.prefix = f"/{token}" if token else ""
        self.names = LOOPBACK | {host.lower()}
        self.open_to_others = host.lower() not in LOOPBACK
        if self.open_to_others:
            self.names |= {socket.gethostname().lower()}

    def refusal(self, path: str, host: str, origin: str | None) -> str | None:
        """Say why a request is refused.

        Parameters
        ----------
        path : str
            Decoded path, with the first slash.
        host : str
            The header ``Host``; another site's name that points to this machine is refused (DNS rebinding).
        origin : str or None
            The header ``Origin``, None where there is none.

        Returns
        -------
        str or None
            One sentence, or None for a request that may pass.
        """
        if not self._is_here(host):
            return _WRONG_HOST
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            return _WRONG_ORIGIN
        first = path.split("/")[1] if path.startswith("/") else ""
        if self.token and not hmac.compare_digest(first.encode(), self.token.encode()):
            return _WRONG_TOKEN
        if "\\" in path or "\0" in path or ".." in path.split("/"):
            return _OUTSIDE
        return None

    def _is_here(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.names or (self.open_to_others and _is_number(name))

    def install(self, app: web.Application) -> None:
        """Stand in front of an application of aiohttp that has not started yet; 403 for what is refused."""
        from aiohttp import web

        @web.middleware
        async def answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
            why = self.refusal(request.path, request.headers.get("Host", ""), request.headers.get("Origin"))
            if why is None:
                return await handler(request)
            refused = web.Response(status=403, text=why + "\n")
            refused.force_close()
            return refused

        app.middlewares.insert(0, answer)
        app.on_response_prepare.append(_add_headers)


def _is_number(name: str) -> bool:
    """Whether a host is an IP address, which no name server can turn to another machine."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _add_headers(request: web.Request, response: Any) -> None:
    response.headers["Content-Security-Policy"] = _POLICY.format(host=request.headers.get("Host", ""))
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    response.headers["Server"] = "mpm3d"
