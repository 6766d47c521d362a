"""Starts and ends the local server of the browser app."""

from __future__ import annotations

import asyncio
import errno
import html
import os
import socket
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mpm3d.errors import require
from mpm3d.view.browser.guard import Guard, make_token
from mpm3d.view.renderer import require_renderer
from mpm3d.view.scene import Scene

_WAITING = '<p style="font:16px sans-serif;margin:3em;color:#333">Opening …</p>'


def serve(
    scene: Scene,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    open_browser: bool = True,
) -> None:
    """Show a scene in a web browser until Ctrl-C.

    The scene is drawn here and travels as pictures, so that a volume of millions of cells need not. The page
    loads nothing from any other machine.

    Parameters
    ----------
    scene : Scene
        What to show.
    host : str
        Address to listen on. Anything but ``"127.0.0.1"`` lets other machines in; the traffic is not
        encrypted.
    port : int
        Port to listen on, 0 for any that is free.
    token : str, optional
        Word that the address holds, without which nothing is answered: random by default, ``""`` for none.
    open_browser : bool
        Open the page in the web browser of this machine.

    Raises
    ------
    ImportError
        If the extra ``browser`` is not installed.
    RuntimeError
        If nothing can be drawn here; says what to install.
    ValueError
        If the token cannot stand in an address.
    OSError
        If the port is taken, not allowed, or the address is not one of this machine.
    """
    for module in ("trame", "trame_vuetify", "trame_rca"):
        require(module, "browser")
    guard = Guard(make_token(token), host)
    require_renderer()
    _try_address(host, port)
    try:
        asyncio.run(_run(scene, guard, (host, port), open_browser))
    except KeyboardInterrupt:
        print("\nEnded.", flush=True)


def address(host: str, port: int, guard: Guard) -> str:
    """Address of the page, to be opened on this machine or, if the server listens to others, on theirs."""
    if host in ("0.0.0.0", "::", ""):
        host = socket.gethostname()
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}{guard.prefix}/"


def _try_address(host: str, port: int) -> None:
    """Raise OSError with a sentence where nothing can listen, before minutes go into drawing."""
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port} is not possible, use 1024 to 65535, or 0 for any that is free.")
    try:
        family, kind, proto, _, place = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, proto) as probe:
            if os.name == "posix":  # elsewhere the option lets two programs share a port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        raise OSError(_why_not(error, host, port)) from error


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken by another program. Give another, or 0 for any that is free."
    if error.errno == errno.EACCES:
        return f"port {port} is kept for the system's own services. Use one from 1024 to 65535."
    why = error.strerror or error
    return f"nothing can listen at {host!r} ({why}). Use 127.0.0.1 or another address of this machine."


async def _run(scene: Scene, guard: Guard, place: tuple[str, int], open_browser: bool) -> None:
    from mpm3d.view.browser.app import App

    app = App(scene)
    server = app.server
    server.controller.on_server_bind.add(lambda bound: _prepare(bound, guard, scene.title))
    server.controller.on_server_ready.add(lambda **_: _announce(server.port, guard, place[0], open_browser))
    _serve_below(server, guard)
    host, port = place
    with _without_arguments(guard):
        running = asyncio.ensure_future(
            server.start(
                exec_mode="coroutine", host=host, port=port, timeout=0, thread=True, open_browser=False,
                show_connection_info=False, backend="aiohttp", follow_symlinks=False,
            )
        )  # fmt: skip
    try:
        await asyncio.shield(running)
    except OSError as error:
        raise OSError(_why_not(error, host, port)) from error
    finally:
        if not running.done():
            await server.stop()
            await running
        await app.close()


@contextmanager
def _without_arguments(guard: Guard) -> Iterator[None]:
    """Keep trame from reading the command line, which is this package's; give it what it takes only there."""
    before = os.environ.get("TRAME_ARGS")
    os.environ["TRAME_ARGS"] = f"--server --ws-endpoint {guard.prefix.lstrip('/')}/ws"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TRAME_ARGS"]
        else:
            os.environ["TRAME_ARGS"] = before


def _serve_below(server: Any, guard: Guard) -> None:
    """Move every folder of scripts, styles and fonts below the token."""
    if guard.token:
        folders = {f"{guard.token}/{name}": folder for name, folder in server.serve.items()}
        server.serve.clear()
        server.serve.update(folders, **{guard.token: _client()})


def _client() -> str:
    from trame_client.module.vue3 import www

    return str(www)


def _prepare(bound: Any, guard: Guard, title: str) -> None:
    """Put the guard and the first page in front of the files of the client."""
    from aiohttp import web

    words = (Path(_client()) / "index.html").read_text(encoding="utf-8")
    words = words.replace("<title>trame is built by Kitware</title>", f"<title>{html.escape(title)}</title>")

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=words, content_type="text/html")

    async def waiting(_: web.Request) -> web.Response:
        return web.Response(text=_WAITING, content_type="text/html")

    async def launcher(_: web.Request) -> web.Response:
        # The client asks a launcher where to connect; nothing known means: where the page came from
        return web.json_response(None)

    async def slash(_: web.Request) -> web.Response:
        raise web.HTTPFound(f"{guard.prefix}/")

    guard.install(bound.app)
    routes = [web.get(f"{guard.prefix}/{name}", page) for name in ("", "index.html")]
    routes += [
        web.get(f"{guard.prefix}/loading.tpl", waiting),
        web.post(f"{guard.prefix}/paraview/", launcher),
    ]
    bound.app.add_routes([*routes, *([web.get(guard.prefix, slash)] if guard.prefix else [])])


def _announce(port: int, guard: Guard, host: str, open_browser: bool) -> None:
    url = address(host, port, guard)
    print(f"Open in a web browser:  {url}\nCtrl-C here ends it.", flush=True)
    if guard.open_to_others:
        print("Other machines can reach it too, and the traffic is not encrypted.", flush=True)
    if open_browser:
        webbrowser.open(url)
