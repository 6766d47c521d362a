"""The page: what stands where. Words and numbers come from the state, actions go to triggers of the app."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpm3d.view.faces import AXES

if TYPE_CHECKING:
    from mpm3d.view.browser.app import App

_AREA = "drawing"
_RATE = 30.0  # pictures per second at most
_QUALITY = 88  # of JPEG; the same while turning and at rest, so that each picture is drawn once
STYLES = Path(__file__).parent / "www"
_CLOSE_IF_NARROW = "if ($vuetify.display.smAndDown) {{ {} = false }}"
_SAVE_PICTURE = "utils.download('view.png', trigger('picture'), 'image/png')"
_SAVE_VIEW = "utils.download('view.json', trigger('save_view'), 'application/json')"
_NARROW = "md"  # below 960 pixels the sides lie over the drawing
_NAMES = {"x": "Easting", "y": "Northing", "z": "Elevation"}
_THEME = {
    "theme": {
        "defaultTheme": "light",
        "themes": {"light": {"colors": {"primary": "#0A3D91", "background": "#FFFFFF"}}},
    },
    "defaults": {
        "VSlider": {"density": "compact", "hideDetails": True, "color": "primary", "thumbSize": 14},
        "VCheckbox": {"density": "compact", "hideDetails": True, "color": "primary"},
        "VSelect": {"density": "compact", "hideDetails": True, "variant": "outlined"},
        "VBtn": {"variant": "tonal", "color": "primary"},
    },
}


def build(app: App) -> Any:
    """Make the page of an app.

    Returns
    -------
    trame_rca RcaViewAdapter
        Sends a new picture when its ``update`` is called.
    """
    from trame_vuetify.ui.vuetify3 import VAppLayout
    from trame_vuetify.widgets import vuetify3 as v

    server = app.server
    server.enable_module({"serve": {"__mpm3d": str(STYLES)}, "styles": ["__mpm3d/app.css"]})
    server.state.trame__client_only += ["left_open", "right_open"]
    with VAppLayout(server, vuetify_config=_THEME) as page:
        _bar()
        with v.VNavigationDrawer(
            v_model=("left_open", None),
            width=300,
            location="left",
            mobile_breakpoint=_NARROW,
            classes="controls",
        ):
            _controls(flat=app.scene.flat)
        with v.VNavigationDrawer(
            v_model=("right_open", None if app.scene.beside is None else False),
            width=320,
            location="right",
            mobile_breakpoint=_NARROW,
            classes="findings",
        ):
            _reading("aside", "reading")
            _targets()
        with v.VMain(classes="main"):
            view = _drawing(app)
        _notice()
        page.flush_content()
    return view


def _bar() -> None:
    from trame_vuetify.widgets import vuetify3 as v

    with v.VAppBar(density="compact", elevation=1):
        _icon("mdi-tune-variant", "left_open = !left_open", "Controls")
        v.VAppBarTitle("{{ title }}", classes="text-body-1 font-weight-medium")
        _icon("mdi-camera-outline", _SAVE_PICTURE, "Save picture")
        _icon("mdi-format-list-numbered", "right_open = !right_open", "Targets")


def _icon(name: str, click: str, title: str) -> None:
    from trame_vuetify.widgets import vuetify3 as v

    label = title.lower().replace(" ", "-")
    v.VBtn(
        icon=name, click=click, variant="text", classes=f"do-{label}",
        raw_attrs=[f'title="{title}"', f'aria-label="{title}"'],
    )  # fmt: skip


def _controls(*, flat: bool) -> None:
    from trame_client.widgets import html

    space = "area" if flat else "volume"
    for name, part in (
        ("Threshold", partial(_threshold, space)), ("View", partial(_views, flat=flat)),
        ("Map below", _below) if flat else ("Slices", _slices), ("Objects", _objects), ("Files", _files),
    ):  # fmt: skip
        with html.Section(classes=f"part {name.split()[0].lower()}"):
            html.H2(name)
            part()


def _threshold(space: str) -> None:
    from trame_client.widgets import html
    from trame_vuetify.widgets import vuetify3 as v

    with html.Div(classes="line"):
        _small("−", "trigger('more', [0.8])", f"Keep less {space}")
        v.VSlider(
            v_model=("threshold",), min=("score_low",), max=("score_high",), step=("score_step",),
            end="trigger('settle')", raw_attrs=['aria-label="Threshold"'], classes="threshold-slider",
        )  # fmt: skip
        _small("+", "trigger('more', [1.25])", f"Keep more {space}")
    with html.Table(v_for="(rows, n) in readouts", key="n", classes="numbers readout"):
        html.Caption("{{ models[n] }}", v_if="models.length")
        _rows("rows")


def _small(words: str, click: str, title: str, **more: Any) -> None:
    from trame_vuetify.widgets import vuetify3 as v

    v.VBtn(
        words, click=click, size="small", classes="small",
        raw_attrs=[f'title="{title}"', f'aria-label="{title}"'], **more,
    )  # fmt: skip


def _rows(rows: str) -> None:
    from trame_client.widgets import html

    with html.Tr(v_for=f"row in {rows}", key="row.label"):
        html.Th("{{ row.label }}")
        html.Td("{{ row.text }}")


def _views(*, flat: bool) -> None:
    from trame_client.widgets import html
    from trame_vuetify.widgets import vuetify3 as v

    with html.Div(classes="buttons"):
        v.VBtn(
            "{{ view }}", v_for="view in views", key="view", size="x-small", click="trigger('look', [view])",
            raw_attrs=[":title=\"view == 'top' ? 'Map view, north up' : 'Look ' + view\""],
        )  # fmt: skip
        v.VBtn(
            "reset",
            size="x-small",
            click="trigger('reset')",
            variant="flat",
            raw_attrs=['title="Start again"'],
        )
    if flat:
        return
    html.Div("Vertical exaggeration: {{ stretch_text }}", classes="words stretch")
    v.VSlider(
        v_model=("stretch",), min=("stretch_low",), max=("stretch_high",), step=0.1,
        raw_attrs=['aria-label="Vertical exaggeration"'], classes="stretch-slider",
    )  # fmt: skip


def _slices() -> None:
    from trame_client.widgets import html
    from trame_vuetify.widgets import vuetify3 as v

    for axis in AXES:
        with html.Div(classes=f"line slice-{axis}"):
            v.VCheckbox(
                v_model=(f"{axis}_on",), label=f"{axis}", raw_attrs=[f'aria-label="Slice across {axis}"']
            )
            v.VSlider(
                v_model=(f"{axis}_place",), min=(f"{axis}_low",), max=(f"{axis}_high",),
                step=(f"{axis}_step",), disabled=(f"!{axis}_on",),
                raw_attrs=[f'aria-label="{_NAMES[axis]} of the slice"'],
            )  # fmt: skip
        html.Div(f"{_NAMES[axis]} {{{{ {axis}_place }}}} m", v_if=f"{axis}_on", classes=f"words place-{axis}")
    _layers("Slices show")


def _below() -> None:
    """One layer of a map, whole, below the cells at or above the threshold."""
    from trame_vuetify.widgets import vuetify3 as v

    v.VCheckbox(v_model=("z_on",), label="Show", raw_attrs=['aria-label="Show the map below the cells"'])
    _layers("Layer")


def _layers(label: str) -> None:
    from trame_vuetify.widgets import vuetify3 as v

    v.VSelect(v_model=("layer",), items=("layers",), label=label, classes="layer mt-2", hide_details=True)


def _objects() -> None:
    from trame_client.widgets import html

    with html.Div(v_for="group in groups", key="group.key", classes="group"):
        _object("group")
        with html.Details(v_if="group.items.length", classes="items"):
            html.Summary("each of {{ group.items.length }}")
            with html.Div(v_for="item in group.items", key="item.key"):
                _object("item")


def _object(name: str) -> None:
    from trame_client.widgets import html
    from trame_vuetify.widgets import vuetify3 as v

    with html.Div(classes="line object", raw_attrs=[f':data-key="{name}.key"']):
        v.VCheckbox(
            model_value=(f"shown[{name}.key]",), update_modelValue=f"trigger('show', [{name}.key, $event])",
            label=(f"{name}.label",), color=(f"{name}.colour",), base_color=(f"{name}.colour",),
        )  # fmt: skip
        v.VSlider(
            model_value=(f"opaque[{name}.key]",), update_modelValue=f"trigger('fade', [{name}.key, $event])",
            min=0, max=1, step=0.05, color=(f"{name}.colour",),
            raw_attrs=[f":aria-label=\"'Opacity of ' + {name}.label\"", 'title="Opacity"'], classes="opacity",
        )  # fmt: skip


def _files() -> None:
    from trame_client.widgets import html

    with html.Div(classes="buttons"):
        _small("Save picture", _SAVE_PICTURE, "Drawing as a PNG file")
        _small("Save view", _SAVE_VIEW, "Threshold, slices, camera and so on as a JSON file")
        _small("Load view", "trame.refs.file.click()", "JSON file that was saved here")
    html.Input(
        type="file", ref="file", classes="hidden",
        raw_attrs=['accept=".json"', 'aria-label="File of a view"'],
        change="$event.target.files[0]?.text().then((words) => trigger('load_view', [words])); "
        "$event.target.value = null",
    )  # fmt: skip


def _reading(where: str, shown: str) -> None:
    from trame_client.widgets import html

    with html.Section(classes=f"part reading {where}", v_if=shown):
        with html.Div(classes="line"):
            html.H2("{{ reading.title }}")
            _small("×", "trigger('forget')", "Close")
        _small(
            "{{ 'Target ' + reading.target }}",
            "trigger('fly', [reading.target])",
            "Go",
            v_if="reading.target",
        )
        with html.Table(classes="numbers"):
            _rows("reading.rows")


def _targets() -> None:
    from trame_client.widgets import html

    with html.Section(classes="part targets"):
        html.H2("Targets, best first")
        html.P("No targets have been delineated.", v_if="!targets.length", classes="words")
        with html.Div(v_for="t in targets", key="t.id", classes=("['target', {chosen: t.id == chosen}]",)):
            with html.Button(
                click="trigger('fly', [t.id]); " + _CLOSE_IF_NARROW.format("right_open"), classes="head",
                raw_attrs=[':data-target="t.id"', ":aria-expanded=\"t.id == chosen ? 'true' : 'false'\""],
            ):  # fmt: skip
                html.Strong("{{ t.rank }}. {{ t.id }}")
                html.Span("{{ t.kind }}", classes="kind")
                with (
                    html.Dl(v_if="t.id != chosen"),
                    html.Div(v_for="row in t.numbers.slice(0, 4)", key="row.label"),
                ):
                    html.Dt("{{ row.label }}")
                    html.Dd("{{ row.text }}")
            with html.Div(v_if="t.id == chosen", classes="detail"):
                with html.Table(classes="numbers"):
                    _rows("t.numbers")
                _reasons("What speaks for it", "t.for", "for")
                _reasons("What speaks against it", "t.against", "against")
                html.P("Proposed drillhole: {{ t.hole }}", v_if="t.hole", classes="words hole")


def _reasons(title: str, parts: str, kind: str) -> None:
    from trame_client.widgets import html

    with html.Div(v_if=f"{parts}.length", classes=f"reasons {kind}"):
        html.H3(title)
        with html.Ul():
            html.Li("{{ part }}", v_for=f"part in {parts}", key="part")


def _drawing(app: App) -> Any:
    from trame_client.widgets import html
    from trame_rca.rca import window_wrapper
    from trame_rca.schedulers import RcaImageRenderScheduler
    from trame_rca.widgets.rca import RemoteControlledArea

    with html.Div(classes="stage"):
        with html.Div(classes="canvas"):
            area = RemoteControlledArea(name=_AREA, display="image", event_throttle_ms=20)
            with html.Div(classes="models", v_if="models.length"):
                html.Span("{{ model }}", v_for="model in models", key="model")
            _reading("over", "reading && !right_open")
        with html.Footer(classes="legend"):
            _scale("scale")
            _scale("layer_scale")
            html.P("{{ caution }}", classes="caution")
    scheduler = RcaImageRenderScheduler(
        window_wrapper(app.area), target_fps=_RATE, interactive_quality=_QUALITY, still_quality=_QUALITY,
        rca_encoder="jpeg",
    )  # fmt: skip
    view = _one_to_one(app.area, scheduler)
    area.add_view_handler(view)
    return view


def _one_to_one(area: Any, scheduler: Any) -> Any:
    from trame_rca.utils import RcaViewAdapter

    class View(RcaViewAdapter):  # type: ignore[misc]
        """Draws a pixel for a pixel of the page: on fine screens labels would be too small to read."""

        def update_size(self, origin: Any, size: dict[str, Any]) -> None:
            super().update_size(origin, {**size, "p": 1})

    return View(area, _AREA, scheduler=scheduler)


def _scale(name: str) -> None:
    from trame_client.widgets import html

    with html.Div(classes=f"scale {name}", v_if=name):
        html.Div(f"{{{{ {name}.title }}}}", classes="name")
        html.Div(classes="colours", style=(f"{{background: {name}.gradient}}",))
        with html.Div(classes="marks"):
            html.Span("{{ mark }}", v_for=f"(mark, n) in {name}.marks", key="n")


def _notice() -> None:
    from trame_vuetify.widgets import vuetify3 as v

    v.VSnackbar("{{ notice }}", v_model=("noticed",), timeout=10000, classes="notice", location="top")
