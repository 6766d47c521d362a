"""The browser app in headless Chromium, on a scene with a known answer."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser_scene import DEPOSITS, GRID, THRESHOLD, layers, scores, small_scene
from PIL import Image

from mpm3d.view import browser as app_room
from mpm3d.view.browser import layout
from mpm3d.view.browser.app import Newest
from mpm3d.view.browser.area import room_for
from mpm3d.view.browser.guard import Guard, make_token
from mpm3d.view.browser.server import address, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TOKEN = "a-token_for-tests"
pytestmark = [pytest.mark.browser, pytest.mark.render]


@dataclass
class Running:
    """The server and its page."""

    process: subprocess.Popen[str]
    url: str
    page: Page | None = None
    said: list[str] | None = None
    asked: list[str] | None = None


@contextmanager
def started(models: str, styles: Path = layout.STYLES) -> Iterator[Running]:
    """The app in a process of its own, with ``"one"`` model or ``"two"``."""
    script = Path(__file__).parent / "browser_scene.py"
    command = [sys.executable, str(script), TOKEN, str(styles), models]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "http" in line, "the server has not started"
            yield Running(process, line.split()[-1])
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("www")
    shutil.copytree(layout.STYLES, folder, dirs_exist_ok=True)
    (folder.parent / "secret.txt").write_text("nobody may read this", encoding="utf-8")
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    with started("one", folder) as server:
        yield server


@pytest.fixture(scope="module")
def running(server: Running, browser: Browser) -> Running:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(20_000)
    server.said, server.asked, server.page = [], [], page
    page.on("console", lambda m: server.said.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: server.said.append(str(e)))
    page.on("request", lambda r: server.asked.append(r.url))
    page.goto(server.url)
    page.wait_for_selector(".canvas img[src^=blob]")
    return server


@pytest.fixture
def page(running: Running) -> Page:
    """The page as it is at first."""
    page = running.page
    assert page is not None
    drawn(page, lambda: page.get_by_role("button", name="reset").click())
    return page


def drawn(page: Page, act: Callable[[], object]) -> np.ndarray:
    """The drawing after an action and when no further picture comes."""
    before = page.get_attribute(".canvas img", "src")
    act()
    page.wait_for_function("old => document.querySelector('.canvas img').src != old", arg=before)
    page.wait_for_function(
        """() => { const now = document.querySelector('.canvas img').src, w = window;
        if (now != w.last) { w.last = now; w.since = performance.now(); }
        return performance.now() - w.since > 350; }""",
        polling=50,
    )
    return canvas(page)


def canvas(page: Page) -> np.ndarray:
    png = page.locator(".canvas").screenshot()
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def coloured(picture: np.ndarray) -> np.ndarray:
    return picture.max(axis=2) - picture.min(axis=2) > 60


def table(page: Page, place: str) -> dict[str, str]:
    rows = page.locator(f"{place} tr").all()
    return {row.locator("th").inner_text(): row.locator("td").inner_text() for row in rows}


def test_the_app_starts_and_its_drawing_is_not_blank(page: Page, artefacts: Path) -> None:
    page.screenshot(path=artefacts / "browser_desktop.png")
    picture = canvas(page)
    assert np.mean(picture.min(axis=2) > 235) > 0.3, "most of the drawing is white paper"
    assert 0.01 < np.mean(coloured(picture)) < 0.6
    assert page.title() == "Two hills"
    assert page.locator(".caution").inner_text() == small_scene().caution
    assert page.locator(".scale .name").inner_text() == "Prospectivity (model score)"


def test_the_read_out_is_what_numpy_counts_and_follows_the_threshold(page: Page) -> None:
    values = scores()
    before = canvas(page)
    slider = page.get_by_role("slider", name="Threshold")

    def expected(threshold: float) -> dict[str, str]:
        kept = int(np.count_nonzero(values >= threshold))
        ore = np.concatenate([values[tuple(cells.T)] for cells in DEPOSITS.values()])
        return {
            "Score at or above": f"{threshold:.4g}",
            "Share of the scored volume": f"{100 * kept / np.isfinite(values).sum():.2f} %",
            "Volume": f"{kept * 50**3 / 1e9:.4g} km³",
            "Known deposits captured": f"{100 * np.mean(ore >= threshold):.1f} %",
        }

    assert table(page, ".readout") == expected(np.float32(THRESHOLD))
    track = page.locator(".threshold-slider .v-slider-track__background").bounding_box()
    assert track is not None

    def drag() -> None:
        page.mouse.move(track["x"] + 0.6 * track["width"], track["y"] + 2)
        page.mouse.down()
        page.mouse.move(track["x"] + 0.92 * track["width"], track["y"] + 2, steps=5)
        page.mouse.up()

    after = drawn(page, drag)
    told = table(page, ".readout")
    assert told == expected(np.float32(slider.get_attribute("aria-valuenow")))
    assert float(told["Score at or above"]) > THRESHOLD + 0.2
    assert np.count_nonzero(coloured(after)) < 0.9 * np.count_nonzero(coloured(before))


def test_a_slice_moves_by_whole_cells_in_true_coordinates(page: Page) -> None:
    first = drawn(page, lambda: page.get_by_label("Slice across z").check())
    slider = page.get_by_role("slider", name="Elevation of the slice")
    centres = GRID.centres(0)
    start = float(page.locator(".place-z").inner_text().split()[1])
    assert start in centres.tolist()
    second = drawn(page, lambda: slider.press("ArrowRight"))
    assert page.locator(".place-z").inner_text() == f"Elevation {start + 50:g} m"
    assert np.count_nonzero(np.abs(first - second).max(axis=2) > 20) > 1000
    gone = drawn(page, lambda: page.get_by_label("Slice across z").uncheck())
    assert np.count_nonzero(coloured(gone)) < np.count_nonzero(coloured(first))


def test_slices_show_the_layer_that_is_chosen_with_its_unit(page: Page) -> None:
    first = drawn(page, lambda: page.get_by_label("Slice across x").check())
    page.locator(".layer").click()
    second = drawn(page, lambda: page.get_by_role("option", name="density").click())
    assert page.locator(".layer_scale .name").inner_text() == "Slices: density (g/cm³)"
    assert np.count_nonzero(np.abs(first - second).max(axis=2) > 20) > 1000


def test_a_pick_gives_what_the_cube_holds_at_that_place(page: Page) -> None:
    for name in ("score", "topography", "fault", "deposit"):
        page.locator(f"[data-key={name}] input[type=checkbox]").uncheck()
    drawn(page, lambda: page.get_by_label("Slice across z").check())
    picture = drawn(page, lambda: page.get_by_role("button", name="top", exact=True).click())
    elevation = float(page.locator(".place-z").inner_text().split()[1])
    rows, columns = np.nonzero(coloured(picture))  # the map of the slice, north up
    place = page.locator(".canvas").bounding_box()
    assert place is not None
    for east, north in ((0.3, 0.7), (0.77, 0.2)):
        x = columns.min() + east * np.ptp(columns)
        y = rows.max() - north * np.ptp(rows)
        page.mouse.click(place["x"] + x, place["y"] + y)
        cell = (int(np.argmin(np.abs(GRID.centres(0) - elevation))), int(north * 12), int(east * 14))
        page.wait_for_selector(f"text=Cell {cell[0]}, {cell[1]}, {cell[2]} (z, y, x)")
        told = table(page, ".reading.aside")
        assert told["Easting"].replace(" ", "") == f"{GRID.centres(2)[cell[2]]:.0f}m"
        assert told["Northing"].replace(" ", "") == f"{GRID.centres(1)[cell[1]]:.0f}m"
        assert float(told["Prospectivity"].split()[0]) == pytest.approx(float(scores()[cell]), rel=1e-4)
        assert float(told["spread"].split()[0]) == 0.125
        for name, values in layers().items():
            number, unit = told[name].split()
            assert float(number) == pytest.approx(values[cell], rel=1e-4)
            assert unit == small_scene().units_of[name]
    page.get_by_role("button", name="Close").click()
    page.wait_for_selector(".reading.aside", state="detached")


def test_a_click_on_a_target_flies_there_and_tells_why(page: Page, artefacts: Path) -> None:
    before = canvas(page)
    after = drawn(page, lambda: page.locator("[data-target=T01]").click())
    page.screenshot(path=artefacts / "browser_target.png")
    assert np.count_nonzero(np.abs(after - before).max(axis=2) > 20) > 3000
    words = page.locator(".target.chosen").inner_text()
    for part in (
        "0.8",
        "0.004 km³",
        "40 m",
        "density +0.12",
        "fault_distance +0.05",
        "resistivity -0.02",
        "D01",
    ):
        assert part in words
    place = page.locator(".canvas").bounding_box()
    assert place is not None
    left, right, bottom, top = room_for(round(place["width"]))  # what is flown to stands between the labels
    middle = (left + place["width"] - right) / 2, (top + place["height"] - bottom) / 2
    page.mouse.click(place["x"] + middle[0], place["y"] + middle[1])
    told = page.locator(".reading.aside h2").inner_text()
    cell = [int(word.strip(",")) for word in told.split()[1:4]]
    low, high = (4, 6, 1), (9, 11, 6)
    assert all(a <= n < b for a, n, b in zip(low, cell, high, strict=True)), (
        "the middle of the drawing is in it"
    )


def test_objects_fade_and_vanish_and_the_view_turns(page: Page) -> None:
    first = canvas(page)
    hidden = drawn(page, lambda: page.locator("[data-key=score] input[type=checkbox]").uncheck())
    assert np.count_nonzero(coloured(hidden)) < 0.5 * np.count_nonzero(coloured(first))
    drawn(page, lambda: page.locator("[data-key=score] input[type=checkbox]").check())
    page.locator(".group", has=page.locator("[data-key=fault]")).locator("summary").click()
    one = drawn(page, lambda: page.locator('[data-key="fault/F2"] input[type=checkbox]').uncheck())
    assert 300 < np.count_nonzero(np.abs(one - first).max(axis=2) > 12) < 0.3 * first[..., 0].size
    turned = drawn(page, lambda: page.get_by_role("button", name="east", exact=True).click())
    assert np.count_nonzero(np.abs(turned - one).max(axis=2) > 20) > 3000
    drawn(page, lambda: page.get_by_role("slider", name="Vertical exaggeration").press("End"))
    assert page.locator(".stretch").inner_text() == "Vertical exaggeration: 5.0 times"


def test_the_mouse_turns_the_drawing(page: Page) -> None:
    first = canvas(page)
    place = page.locator(".canvas").bounding_box()
    assert place is not None

    def turn() -> None:
        page.mouse.move(place["x"] + 200, place["y"] + 300)
        page.mouse.down()
        page.mouse.move(place["x"] + 320, place["y"] + 330, steps=4)
        page.mouse.up()

    assert np.count_nonzero(np.abs(drawn(page, turn) - first).max(axis=2) > 20) > 3000
    assert not page.locator(".reading.aside").count(), "a turn is not a pick"


def test_the_picture_and_the_view_are_saved_and_the_view_comes_back(page: Page, artefacts: Path) -> None:
    drawn(page, lambda: page.get_by_role("button", name="Keep more volume").click())
    told = table(page, ".readout")
    with page.expect_download() as picture:
        page.get_by_role("button", name="Save picture").first.click()
    picture.value.save_as(artefacts / "browser_saved.png")
    with Image.open(artefacts / "browser_saved.png") as image:
        assert image.format == "PNG"
        assert len(image.convert("RGB").getcolors(1 << 24)) > 50
    with page.expect_download() as view:
        page.get_by_role("button", name="Threshold, slices, camera").click()
    saved = Path(view.value.path()).read_bytes()
    assert json.loads(saved)["threshold"] > 0
    drawn(page, lambda: page.get_by_role("button", name="reset").click())
    assert table(page, ".readout") != told
    file = {"name": "view.json", "mimeType": "application/json", "buffer": saved}
    drawn(page, lambda: page.set_input_files("input[type=file]", file))
    assert table(page, ".readout") == told


def test_a_file_that_is_not_a_view_is_answered_with_a_sentence(page: Page) -> None:
    file = {"name": "view.json", "mimeType": "application/json", "buffer": b'{"format": '}
    page.set_input_files("input[type=file]", file)
    page.wait_for_selector(".notice >> text=/view.json|not a view|JSON/")


def boxes_apart(page: Page, *places: str) -> None:
    boxes = [page.locator(place).first.bounding_box() for place in places]
    for n, a in enumerate(boxes):
        for b in boxes[n + 1 :]:
            assert a is not None
            assert b is not None
            apart = a["x"] + a["width"] <= b["x"] + 1 or b["x"] + b["width"] <= a["x"] + 1
            assert apart or a["y"] + a["height"] <= b["y"] + 1 or b["y"] + b["height"] <= a["y"] + 1, (a, b)


def test_nothing_overlaps_on_a_laptop_or_on_a_phone(page: Page, artefacts: Path) -> None:
    boxes_apart(page, ".v-app-bar", ".canvas", ".legend", ".controls", ".findings")
    try:
        drawn(page, lambda: page.set_viewport_size({"width": 390, "height": 844}))
        page.screenshot(path=artefacts / "browser_phone.png")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        boxes_apart(page, ".v-app-bar", ".canvas", ".legend")
        box = page.locator(".canvas").bounding_box()
        assert box is not None
        assert box["width"] == 390
        assert box["height"] > 500
        page.get_by_role("button", name="Targets").click()
        page.locator("[data-target=T02]").wait_for()
        page.wait_for_timeout(300)
        page.screenshot(path=artefacts / "browser_phone_targets.png")
        drawn(page, lambda: page.locator("[data-target=T02]").click())
        page.wait_for_function("document.querySelector('.findings').getBoundingClientRect().left >= 389")
    finally:
        page.set_viewport_size({"width": 1280, "height": 800})
    page.wait_for_function("document.querySelector('.canvas').clientWidth < 700")


def test_everything_comes_from_here_and_the_console_is_silent(running: Running) -> None:
    assert running.asked
    assert running.said == []
    outside = [url for url in running.asked if not url.startswith((running.url, "blob:", "data:"))]
    assert outside == []
    fonts = [url for url in running.asked if "materialdesignicons" in url]
    assert fonts, "the icons' font is one of its own files"
    assert running.page is not None
    assert running.page.evaluate("document.fonts.check('16px \"Material Design Icons\"')")


def test_a_wrong_token_opens_nothing(running: Running, browser: Browser) -> None:
    page = browser.new_page()
    answer = page.goto(running.url.replace(TOKEN, "another"))
    assert answer is not None
    assert answer.status == 403
    assert "with its token" in page.locator("body").inner_text()
    page.close()


def ask(url: str, path: str, **headers: str) -> tuple[int, str]:
    """Status and body of a request that no client has tidied up."""
    place = urlsplit(url)
    lines = {
        "Host": place.netloc,
        "Connection": "close",
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    words = f"GET {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
    with socket.create_connection((place.hostname, place.port), timeout=20) as link:
        link.sendall(words.encode())
        head = link.recv(65536)
        if b" 101 " not in head:
            while part := link.recv(65536):
                head += part
    answer = head.decode("utf-8", errors="replace")
    return int(answer.split()[1]), answer


@pytest.mark.parametrize(
    "path",
    [
        "/", "/index.html", "/ws", "/wrong/", f"/{TOKEN}x/", f"/{TOKEN[:-1]}/", f"/x/../{TOKEN}/",
        "/__mpm3d/app.css", "/vue.global.js", f"/{TOKEN.upper()}/",
    ],
)  # fmt: skip
def test_without_the_token_every_path_is_refused(server: Running, path: str) -> None:
    status, words = ask(server.url, path)
    assert status == 403
    assert "opens only at the whole address that mpm3d printed" in words


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/__mpm3d/../secret.txt", "/__mpm3d/%2e%2e/secret.txt", "/__mpm3d/..%2fsecret.txt",
        "/__mpm3d/%2e%2e%2fsecret.txt", "/__mpm3d/..%5csecret.txt", "/__mpm3d//etc/passwd", "/__mpm3d/%00",
        "/%2fetc%2fpasswd", "/__mpm3d/link.txt", "/__mpm3d/", "/assets/", "/__mpm3d", "/../../../etc/passwd",
    ],
)  # fmt: skip
def test_no_file_outside_its_own_is_served_and_no_folder_listed(server: Running, path: str) -> None:
    status, words = ask(server.url, f"/{TOKEN}{path}")
    assert status in (403, 404)
    for secret in ("nobody may read this", "root:", "app.css", "index-"):
        assert secret not in words.partition("\r\n\r\n")[2]


def test_its_own_files_are_served_with_a_policy_that_forbids_others(server: Running) -> None:
    status, words = ask(server.url, f"/{TOKEN}/__mpm3d/app.css")
    assert status == 200
    assert "default-src 'none'" in words
    assert "frame-ancestors 'none'" in words
    assert ask(server.url, f"/{TOKEN}/__mpm3d/nothing.css")[0] == 404
    assert ask(server.url, f"/{TOKEN}")[0] == 302


UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip


def test_the_web_socket_opens_for_the_own_page_only(server: Running) -> None:
    here = server.url.split(f"/{TOKEN}")[0]
    assert ask(server.url, f"/{TOKEN}/ws", Origin=here, **UPGRADE)[0] == 101
    assert ask(server.url, "/wrong/ws", Origin=here, **UPGRADE)[0] == 403
    assert ask(server.url, "/ws", Origin=here, **UPGRADE)[0] == 403
    status, words = ask(server.url, f"/{TOKEN}/ws", Origin="http://evil.example", **UPGRADE)
    assert status == 403
    assert "does not answer to pages of other sites" in words


def test_a_name_that_another_site_points_here_is_refused(server: Running) -> None:
    status, words = ask(server.url, f"/{TOKEN}/", Host="evil.example")
    assert status == 403
    assert "answers only to the address that mpm3d printed" in words


def test_it_listens_to_this_machine_only(server: Running) -> None:
    port = urlsplit(server.url).port
    own = socket.gethostbyname(socket.gethostname())
    if own.startswith("127."):
        own = "127.0.0.2"  # another address of the same machine; a server on all of them would answer
    with pytest.raises(OSError), socket.create_connection((own, port), timeout=5):
        pass


@pytest.mark.parametrize(
    ("host", "name", "passes"),
    [
        ("127.0.0.1", "127.0.0.1:80", True), ("127.0.0.1", "localhost:80", True),
        ("127.0.0.1", "[::1]:80", True), ("127.0.0.1", "192.168.0.7:80", False), ("127.0.0.1", "", False),
        ("127.0.0.1", "[", False), ("0.0.0.0", "192.168.0.7:80", True), ("0.0.0.0", "evil.example", False),
        ("mine.example", "mine.example", True),
    ],
)  # fmt: skip
def test_names_that_the_server_answers_to(host: str, name: str, passes: bool) -> None:
    assert (Guard("", host).refusal("/", name, None) is None) == passes


def test_an_address_holds_the_token_and_brackets_where_they_belong() -> None:
    assert address("127.0.0.1", 80, Guard("abc", "127.0.0.1")) == "http://127.0.0.1:80/abc/"
    assert address("::1", 80, Guard("", "::1")) == "http://[::1]:80/"
    assert address("0.0.0.0", 80, Guard("", "0.0.0.0")) == f"http://{socket.gethostname()}:80/"


def test_tokens_are_random_and_fit_an_address() -> None:
    made = {make_token(None) for _ in range(50)}
    assert len(made) == 50
    assert all(len(token) >= 32 for token in made)
    assert make_token("") == ""
    with pytest.raises(ValueError, match=r"'a/b' cannot stand in an address, use letters, digits"):
        make_token("a/b")


def test_a_port_that_is_taken_or_impossible_is_said_in_a_sentence() -> None:
    scene = small_scene()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            OSError, match=rf"port {port} of 127.0.0.1 is taken by another program. Give another"
        ):
            serve(scene, port=port, open_browser=False)
    with pytest.raises(ValueError, match="port 70000 is not possible"):
        serve(scene, port=70000, open_browser=False)
    with pytest.raises(OSError, match=r"nothing can listen at '192.0.2.1'"):
        serve(scene, host="192.0.2.1", open_browser=False)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trame_rca", None)
    with pytest.raises(ImportError, match=r"pip install 'mpm3d\[browser\]'"):
        app_room.serve(small_scene(), open_browser=False)


def test_only_the_newest_of_many_wishes_is_carried_out() -> None:
    done: list[int] = []

    async def wish() -> None:
        newest = Newest()
        for number in range(20):
            newest.ask(lambda number=number: done.append(number))
        while not done:
            await asyncio.sleep(0.01)

    # the browser's own loop runs in this thread
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, wish()).result()
    assert done == [19]


def test_two_models_stand_side_by_side_with_a_name_and_a_read_out_each(
    browser: Browser, artefacts: Path
) -> None:
    with started("two") as server:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(server.url)
        picture = drawn(page, lambda: page.wait_for_selector(".canvas img[src^=blob]"))
        page.screenshot(path=artefacts / "browser_two_models.png")
        middle = picture.shape[1] // 2
        assert (
            min(np.count_nonzero(coloured(half)) for half in (picture[:, :middle], picture[:, middle:])) > 500
        )
        assert page.locator(".models span").all_inner_texts() == ["Two hills", "Root"]
        shares = page.locator(".readout tr:nth-of-type(2) td").all_inner_texts()
        assert len(shares) == 2
        assert shares[0] == shares[1], "both are cut at the same percentile"
        place = page.locator(".canvas").bounding_box()
        assert place is not None
        rows, columns = np.nonzero(coloured(picture[:, middle:]) & (picture[:, middle:].max(axis=2) > 150))
        spot = int(np.median(columns)) + middle, int(np.median(rows[columns == int(np.median(columns))]))
        page.mouse.click(place["x"] + spot[0], place["y"] + spot[1])
        page.locator(".reading.over").wait_for()
        told = table(page, ".reading.over")
        assert told["Model"] == "Root"
        assert float(told["Prospectivity"].split()[0]) > np.sqrt(THRESHOLD)
        turned = drawn(page, lambda: page.get_by_role("button", name="east", exact=True).click())
        for half in (np.s_[:, :middle], np.s_[:, middle:]):
            assert np.count_nonzero(np.abs(turned[half] - picture[half]).max(axis=2) > 20) > 1000, (
                "one camera"
            )
        page.close()


def test_ctrl_c_ends_the_server_cleanly() -> None:
    with started("one") as server:  # its own: tests that come later, in whatever order, need the other
        server.process.send_signal(signal.SIGINT)
        words, errors = server.process.communicate(timeout=30)
    assert server.process.returncode == 0
    assert words.endswith("Ended.\n")
    assert "Traceback" not in errors, errors
