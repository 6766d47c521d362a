/* The map. Its state is the middle, in map units, and how many units along x a pixel is. */
(() => {
  const { find, all, rows, markRow, bytes, still, plain } = page;
  const holder = find("#scene-view"), block = find("#scene");
  if (!holder || !block || typeof Plotly === "undefined") {
    for (const row of rows) row.addEventListener("click", () => markRow(row.dataset.target));
    return;
  }
  document.body.classList.remove("no-3d");
  const data = JSON.parse(block.textContent);
  const [ny, nx] = data.shape;
  const byId = new Map(data.targets.map((target) => [target.id, target]));
  const margin = { l: 50, r: 8, t: 8, b: 46 };
  // no higher than the map needs, so that the table is not far below a wide one
  const fits = (holder.clientWidth - margin.l - margin.r) * (data.bounds[3] - data.bounds[1]) / (data.bounds[2] - data.bounds[0]);
  holder.style.height = `${Math.min(holder.clientHeight, Math.max(260, 1.06 * fits + margin.t + margin.b))}px`;
  const room = () => [holder.clientWidth - margin.l - margin.r, holder.clientHeight - margin.t - margin.b];
  let marked = null, named = true;

  /* Values, and which target each cell lies in. */
  const codes = new Uint16Array(bytes(data.values));
  const z = Array.from({ length: ny }, (_, j) => Array.from(codes.subarray(j * nx, (j + 1) * nx), (code) => (code === data.empty ? null : code / data.steps)));
  const words = Array.from({ length: ny }, () => new Array(nx).fill(""));
  const owners = Array.from({ length: ny }, () => new Array(nx).fill(null));
  for (const target of data.targets) {
    target.rings = target.rings.map((packed) => {
      const flat = new Float32Array(bytes(packed)), ring = [];
      for (let at = 0; at < flat.length; at += 2) ring.push([data.bounds[0] + flat[at], data.bounds[1] + flat[at + 1]]);
      return ring;
    });
  }
  /* How many edges lie to the right of a place: odd inside. */
  function inside(rings, x, y) {
    let within = false;
    for (const ring of rings) {
      for (let at = 1; at < ring.length; at += 1) {
        const [[x0, y0], [x1, y1]] = [ring[at - 1], ring[at]];
        if ((y0 > y) !== (y1 > y) && x < x0 + (x1 - x0) * (y - y0) / (y1 - y0)) within = !within;
      }
    }
    return within;
  }
  for (const target of [...data.targets].sort((a, b) => b.zone - a.zone)) { // parts of a zone go before it
    const said = `${target.words.map(plain).join("<br>")}<br>`, [low, high] = target.box;
    const cellOf = (place, axis) => Math.floor((place - data.first[axis]) / data.step[axis] + 0.5);
    for (let j = Math.max(0, cellOf(low[1], 1)); j <= Math.min(ny - 1, cellOf(high[1], 1)); j += 1) {
      for (let i = Math.max(0, cellOf(low[0], 0)); i <= Math.min(nx - 1, cellOf(high[0], 0)); i += 1) {
        if (!inside(target.rings, data.first[0] + i * data.step[0], data.first[1] + j * data.step[1])) continue;
        owners[j][i] = target.id;
        words[j][i] = said;
      }
    }
  }

  /* Layers, from the lowest up; the legend switches them by name. */
  const number = (value) => Math.round(value).toLocaleString("en").replace("-", "−");
  const pathOf = (targets) => {
    const line = { x: [], y: [] };
    for (const ring of targets.flatMap((target) => target.rings)) {
      for (const [x, y] of [...ring, [null, null]]) { line.x.push(x); line.y.push(y); }
    }
    return line;
  };
  const outline = (targets, color, width, dash = "solid") => ({ type: "scatter", mode: "lines", hoverinfo: "skip", connectgaps: false, ...pathOf(targets), line: { color, width, dash } });
  const halo = "0 0 2px #fff, 0 0 2px #fff, 0 0 3px #fff, 1px 1px 2px #fff, -1px -1px 2px #fff";
  const font = (color) => ({ size: 12.5, weight: 600, color, shadow: halo });
  const zones = data.targets.filter((target) => target.zone), bodies = data.targets.filter((target) => !target.zone);
  const kinds = [
    { layer: "known", label: "known deposit", symbol: "circle", fill: "#D55E00", places: data.places.filter((place) => !place.blind) },
    { layer: "blind", label: "blind deposit, no model saw it", symbol: "triangle-up", fill: "#CC79A7", places: data.places.filter((place) => place.blind) },
  ];
  const best = data.every > 1 ? `, best of ${data.every} × ${data.every} cells` : "";
  const at = "%{x:,.0f} E, %{y:,.0f} N";
  const layers = [
    { layer: "scores", type: "heatmap", z, x0: data.first[0], dx: data.step[0], y0: data.first[1], dy: data.step[1], text: words,
      colorscale: data.ramp, zmin: 0, zmax: 100, zsmooth: false, showscale: false, hoverongaps: false,
      hovertemplate: `%{text}percentile %{z:.1f}${best}<br>${at}<extra></extra>` },
    { layer: "zones", ...outline(zones, "#fff", 3) },
    { layer: "zones", ...outline(zones, "#111", 1.4, "4px,3px") },
    { layer: "targets", ...outline(bodies, "#fff", bodies.length > 60 ? 2.6 : 4) },
    { layer: "targets", ...outline(bodies, "#111", bodies.length > 60 ? 1.2 : 2) },
    { layer: "mark", ...outline([], "#fff", 8) },
    { layer: "mark", ...outline([], "#d40000", 4) },
    ...kinds.map(({ layer, label, symbol, fill, places }) => ({
      layer, type: "scatter", mode: "markers", x: places.map((place) => place.at[0]), y: places.map((place) => place.at[1]),
      hovertext: places.map((place) => `${plain(place.name)}<br>${label}<br>${number(place.at[0])} E, ${number(place.at[1])} N`), hoverinfo: "text",
      marker: { symbol, size: 11, color: fill, line: { color: "#000", width: 1.3 } },
    })),
    { layer: "names", type: "scatter", mode: "text", x: [], y: [], text: [], hoverinfo: "skip", cliponaxis: true, textfont: font("#111") },
  ].map((trace) => ({ showlegend: false, ...trace }));
  const indexOf = (layer) => layers.flatMap((trace, index) => (trace.layer === layer ? [index] : []));

  /* Names that would lie on others wait until the map is closer, and so do those of all but the best targets: the marked one goes first. */
  const labels = [
    ...data.targets.map((target, place) => ({ id: target.id, text: target.id, order: target.late || place >= 12 ? 2 : 0, place, sides: [
      { side: "top center", ...endOf(target, 1) }, { side: "bottom center", ...endOf(target, 0) },
      { side: "middle right", ...endOf(target, 1, 0) }, { side: "middle left", ...endOf(target, 0, 0) },
    ] })),
    ...kinds.flatMap(({ layer, places }) => places.map((place) => ({ layer, text: `\u2002${place.name}\u2002`, order: 1,
      sides: ["middle right", "middle left"].map((side) => ({ side, x: place.at[0], y: place.at[1] })) }))),
  ];
  /* The middle of the highest or lowest edge of a target, or of its easternmost or westernmost. */
  function endOf(target, last, axis = 1) {
    const corners = target.rings.flat(), end = corners.reduce((far, corner) => (last ? Math.max : Math.min)(far, corner[axis]), corners[0][axis]);
    const along = corners.filter((corner) => corner[axis] === end).map((corner) => corner[1 - axis]).sort((a, b) => a - b);
    const middle = (along[0] + along[along.length - 1]) / 2;
    return axis === 1 ? { x: middle, y: end } : { x: end, y: middle };
  }
  const hidden = new Set();
  /* Pixels of a name from the middle of the map: left, top, right, bottom. */
  function boxOf(label, { side, x: east, y: north }) {
    const x = (east - view.x) / view.scale, y = -(north - view.y) / view.scale;
    const wide = 7.8 * Array.from(label.text.trim()).reduce((sum, letter) => sum + (letter > "\u2e7f" ? 1.7 : 1), 0), gap = label.id ? 1 : 8;
    if (side === "top center") return [x - wide / 2, y - 18, x + wide / 2, y - 1];
    if (side === "bottom center") return [x - wide / 2, y + 1, x + wide / 2, y + 18];
    return side === "middle right" ? [x + gap, y - 9, x + gap + wide, y + 9] : [x - gap - wide, y - 9, x - gap, y + 9];
  }
  function showNames() {
    const first = (label) => (label.id && label.id === marked ? -1 : label.order);
    const [w, h] = room(), kept = [];
    const boxes = [[w / 2 - 48, -h / 2, w / 2, -h / 2 + 56], [-w / 2, h / 2 - 34, -w / 2 + 150, h / 2]]; // of the arrow and the scale bar
    const marks = kinds.filter(({ layer }) => !hidden.has(layer)).flatMap(({ places }) => places)
      .map(({ at: [x, y] }) => [(x - view.x) / view.scale, -(y - view.y) / view.scale]);
    const free = (box, own) => box[0] >= -w / 2 && box[2] <= w / 2 && box[1] >= -h / 2 && box[3] <= h / 2
      && !boxes.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])
      && (own || !marks.some(([x, y]) => x > box[0] - 5 && x < box[2] + 5 && y > box[1] - 5 && y < box[3] + 5));
    const most = 12 * (whole().scale / view.scale) ** 2;
    for (const label of named ? [...labels].sort((a, b) => first(a) - first(b)) : []) {
      if (hidden.has(label.layer ?? (byId.get(label.id).zone ? "zones" : "targets"))) continue;
      if (label.place >= most && label.id !== marked) continue;
      const where = label.sides.find((one) => free(boxOf(label, one), label.id && label.id === marked));
      if (!where) continue;
      boxes.push(boxOf(label, where));
      kept.push({ ...label, ...where });
    }
    const [index] = indexOf("names");
    return Plotly.restyle(holder, { x: [kept.map((one) => one.x)], y: [kept.map((one) => one.y)], textposition: [kept.map((one) => one.side)],
      text: [kept.map((one) => (one.id ? `<b>${plain(one.text)}</b>` : plain(one.text)))] }, [index]);
  }
  function showScaleBar() {
    const bar = find("#scale-bar"), longest = 130 * view.scale, power = 10 ** Math.floor(Math.log10(longest));
    const length = power * [5, 2, 1].find((step) => step * power <= longest);
    bar.style.width = `${length / view.scale}px`;
    bar.firstElementChild.textContent = length >= 1000 ? `${length / 1000} km` : `${length} m`;
  }

  /* Moving. */
  const whole = () => {
    const [w, h] = room(), [x0, y0, x1, y1] = data.bounds;
    return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, scale: 1.03 * Math.max((x1 - x0) / w, (y1 - y0) / h) };
  };
  const rangesOf = ({ x, y, scale }) => {
    const [w, h] = room(), [across, up] = [w * scale / 2, h * scale / 2];
    return { "xaxis.range": [x - across, x + across], "yaxis.range": [y - up, y + up] };
  };
  let view = whole(), moving = 0;
  async function settle() { showScaleBar(); await showNames(); }
  async function flyTo(goal) {
    const turn = (moving += 1), start = view, begun = performance.now();
    for (let part = still ? 1 : 0; turn === moving;) {
      const eased = part * part * (3 - 2 * part), mix = (key) => start[key] + (goal[key] - start[key]) * eased;
      view = part >= 1 ? goal : { x: mix("x"), y: mix("y"), scale: start.scale * (goal.scale / start.scale) ** eased };
      await Plotly.relayout(holder, rangesOf(view));
      if (part >= 1) return settle();
      await new Promise((next) => requestAnimationFrame(next));
      part = Math.min(1, (performance.now() - begun) / 700);
    }
  }
  const moved = (east, north) => ({ ...view, x: view.x + east * room()[0] * view.scale, y: view.y + north * room()[1] * view.scale });
  const closest = () => Math.min(data.step[0], data.step[1]) / data.every / 40; // pixels of a cell at most
  const zoomed = (factor) => ({ ...view, scale: Math.min(4 * whole().scale, Math.max(closest(), view.scale * factor)) });
  const moves = {
    all: whole, in: () => zoomed(0.6), out: () => zoomed(1 / 0.6),
    north: () => moved(0, 0.3), south: () => moved(0, -0.3), east: () => moved(0.3, 0), west: () => moved(-0.3, 0),
  };
  const keys = { ArrowUp: "north", ArrowDown: "south", ArrowLeft: "west", ArrowRight: "east", "+": "in", "=": "in", "-": "out", 0: "all", Home: "all" };

  async function showTarget(id, scroll) {
    const target = byId.get(id);
    markRow(id);
    if (!target) return;
    marked = id;
    find("#status").textContent = `Marked: ${target.words.join("\n")}`;
    if (scroll) find("#view").scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
    const line = pathOf([target]), [low, high] = target.box, [w, h] = room();
    await Plotly.restyle(holder, { x: [line.x, line.x], y: [line.y, line.y] }, indexOf("mark"));
    const fit = Math.max((high[0] - low[0]) / w, (high[1] - low[1]) / h, 6 * data.step[0] / w);
    const goal = { x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2, scale: 3 * fit };
    return scroll ? flyTo(goal) : showNames();
  }
  /* Longitude and latitude between the known ones. */
  function onEarth(x, y) {
    const known = data.lonlat, [x0, y0, x1, y1] = data.bounds;
    if (!known) return "";
    const place = (value, low, high) => Math.max(0, Math.min(known.n - 1.000001, (value - low) / (high - low) * (known.n - 1)));
    const [u, v] = [place(x, x0, x1), place(y, y0, y1)], [i, j] = [Math.floor(u), Math.floor(v)], [p, q] = [u - i, v - j];
    const from = (grid) => [0, 1].map((b) => grid[(j + b) * known.n + i] * (1 - p) + grid[(j + b) * known.n + i + 1] * p);
    const [lon, lat] = [known.lon, known.lat].map((grid) => { const [a, b] = from(grid); return a * (1 - q) + b * q; });
    const turned = ((lon + 540) % 360) - 180;
    return `${Math.abs(lat).toFixed(5)}° ${lat < 0 ? "S" : "N"}, ${Math.abs(turned).toFixed(5)}° ${turned < 0 ? "W" : "E"}`;
  }
  function press(point) {
    const [j, i] = point.data.type === "heatmap" ? point.pointIndex : [], earth = onEarth(point.x, point.y);
    if (owners[j]?.[i]) showTarget(owners[j][i], false);
    const told = point.hovertext ? point.hovertext.split("<br>")[0] : `Percentile ${point.z.toFixed(1)}${best}`;
    const place = `\n${number(point.x)} E, ${number(point.y)} N`;
    const here = document.createElement("span");
    here.innerHTML = told; // markup of the label beside the pointer, in which names are escaped
    find("#status").textContent = `${owners[j]?.[i] ? `${find("#status").textContent}\n` : ""}${here.textContent}${place}${earth ? `\n${earth} (WGS 84)` : ""}`;
  }

  const axis = (title, more) => ({ title: { text: title, standoff: 6 }, tickformat: ",d", nticks: 5, zeroline: false, showgrid: false, ticks: "outside", ticklen: 4,
    showline: true, mirror: true, linecolor: "#8d9793", color: "#3b4441", tickfont: { size: 11 }, automargin: false, ticklabeloverflow: "hide past domain", ...more });
  const sizes = rangesOf(view);
  const layout = {
    margin, paper_bgcolor: "#fff", plot_bgcolor: "#fff", separators: ".,", dragmode: "pan", hovermode: "closest", uirevision: "same",
    font: { family: "system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, Arial, sans-serif", size: 12 },
    hoverlabel: { bgcolor: "#fff", bordercolor: "#55605c", font: { color: "#1c2321", size: 13 }, align: "left" },
    xaxis: axis("Easting (m)", { range: sizes["xaxis.range"] }),
    yaxis: axis("Northing (m)", { range: sizes["yaxis.range"], tickangle: -90, scaleanchor: "x", scaleratio: 1 }),
    shapes: [["#d9d9d9", "below", 0], ["rgba(0,0,0,0)", "above", 1]].map(([fillcolor, layer, width]) => ({
      type: "rect", x0: data.bounds[0], y0: data.bounds[1], x1: data.bounds[2], y1: data.bounds[3], fillcolor, layer, line: { color: "#55605c", width } })),
  };

  Plotly.newPlot(holder, layers, layout, { displayModeBar: false, responsive: true, showTips: false, scrollZoom: true, doubleClick: false }).then(async () => {
    let pinch = null;
    holder.on("plotly_relayout", (event) => {
      if (pinch || !("xaxis.range[0]" in event)) return; // the map's own moves say their ranges whole
      const { xaxis, yaxis } = holder._fullLayout;
      moving += 1;
      view = { x: (xaxis.range[0] + xaxis.range[1]) / 2, y: (yaxis.range[0] + yaxis.range[1]) / 2, scale: (xaxis.range[1] - xaxis.range[0]) / room()[0] };
      settle();
    });
    new ResizeObserver(() => flyTo({ ...view })).observe(holder);
    holder.on("plotly_click", (event) => press(event.points[0]));
    for (const box of all("[data-layer]")) {
      box.addEventListener("change", () => {
        hidden[box.checked ? "delete" : "add"](box.dataset.layer);
        Plotly.restyle(holder, { visible: box.checked }, indexOf(box.dataset.layer)).then(showNames);
      });
    }
    find("#names").addEventListener("change", (event) => { named = event.target.checked; showNames(); });
    const showRamp = (low) => {
      [find("#ramp-low").textContent, find("#ramp-high").textContent] = [low, 100];
      find("#ramp").style.background = `linear-gradient(90deg, ${data.ramp.map(([stop, colour]) => `${colour} ${100 * stop}%`).join(", ")})`;
    };
    find("#lowest").addEventListener("change", (event) => {
      showRamp(event.target.value);
      Plotly.restyle(holder, { zmin: Number(event.target.value) }, indexOf("scores"));
    });
    showRamp("0");
    for (const button of all("[data-view]")) button.addEventListener("click", () => flyTo(moves[button.dataset.view]()));
    holder.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      flyTo(moves[keys[event.key]]());
    });
    for (const row of rows) row.addEventListener("click", () => showTarget(row.dataset.target, true));
    /* Two fingers zoom about the place between them; Plotly, which knows one, is not told of them. */
    const fingers = ({ touches: [a, b] }) => ({ apart: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), x: (a.clientX + b.clientX) / 2, y: (a.clientY + b.clientY) / 2 });
    const fromMiddle = ({ x, y }) => { const { left, top } = holder.getBoundingClientRect(), [w, h] = room(); return [x - left - margin.l - w / 2, top + margin.t + h / 2 - y]; };
    holder.addEventListener("touchstart", (event) => {
      if (event.touches.length !== 2) return;
      pinch = { start: view, ...fingers(event) };
      event.preventDefault();
      event.stopImmediatePropagation();
    }, { capture: true, passive: false });
    window.addEventListener("touchmove", (event) => {
      if (!pinch) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (event.touches.length !== 2) return;
      const now = fingers(event), { start } = pinch, scale = Math.min(4 * whole().scale, Math.max(closest(), start.scale * pinch.apart / Math.max(1, now.apart)));
      const [[right, up], [toRight, toUp]] = [fromMiddle(pinch), fromMiddle(now)];
      pinch.goal = { x: start.x + right * start.scale - toRight * scale, y: start.y + (up * start.scale - toUp * scale), scale };
      moving += 1;
      view = pinch.goal;
      Plotly.relayout(holder, rangesOf(view));
    }, { capture: true, passive: false });
    window.addEventListener("touchend", (event) => {
      if (!pinch || event.touches.length) return;
      const { goal } = pinch;
      // after Plotly has ended the move that the first finger had begun
      setTimeout(() => { pinch = null; if (goal) { view = goal; flyTo(goal); } }, 60);
    }, { capture: true });
    /* The wheel scrolls the page until the map has been clicked. */
    let active = false;
    holder.addEventListener("pointerdown", () => { active = true; });
    holder.addEventListener("pointerleave", () => { active = false; });
    holder.addEventListener("wheel", (event) => { if (!active) event.stopImmediatePropagation(); }, { capture: true });
    await settle();
    holder.dataset.ready = "true";
  }).catch((error) => { document.body.classList.add("no-3d"); console.error(error); });
})();
