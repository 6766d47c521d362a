/* The 3D view. */
(() => {
  const { find, all, rows, markRow, bytes, still, plain } = page;
  const holder = find("#scene-view");
  const block = find("#scene");
  function canDraw() {
    try {
      const canvas = document.createElement("canvas");
      return Boolean(window.WebGLRenderingContext && (canvas.getContext("webgl2") || canvas.getContext("webgl")));
    } catch { return false; }
  }
  if (!holder || !block || typeof Plotly === "undefined" || !canDraw()) {
    document.body.classList.add("no-3d");
    for (const row of rows) row.addEventListener("click", () => markRow(row.dataset.target));
    return;
  }
  const data = JSON.parse(block.textContent);
  const column = (flat, width, offset) => flat.filter((_, index) => index % width === offset);
  const byId = new Map(data.targets.map((target) => [target.id, target]));
  const spans = data.axes.map((axis) => axis.range[1] - axis.range[0]);
  const middles = data.axes.map((axis) => (axis.range[1] + axis.range[0]) / 2);
  const longest = Math.max(...spans);
  let exaggeration = 1, colourBy = "rank", marked = null;

  const ratio = () => ({ x: 1.6 * spans[0] / longest, y: 1.6 * spans[1] / longest, z: 1.6 * exaggeration * spans[2] / longest });
  function inView(point) {
    const r = ratio(), sides = [r.x, r.y, r.z];
    return point.map((value, axis) => (value - middles[axis]) / spans[axis] * sides[axis]);
  }

  /* What stands beside the pointer: one text for each vertex, the same string for a whole body. */
  function wordsOf(group) {
    const texts = [];
    for (const [name, first, count] of group.parts) {
      const target = group.role === "target" || group.role === "zone" ? byId.get(name) : null;
      const said = target ? target.words.map(plain).join("<br>") : `${plain(name)}<br>${plain(group.label.replace(/ \(\d+\)$/, ""))}`;
      for (let at = first; at < first + count; at += 1) texts[at] = said;
    }
    return texts;
  }

  const ramp = data.ramp.map(([stop, colour]) => [stop, colour]);
  const turned = ramp.map(([stop], index) => [stop, ramp[ramp.length - 1 - index][1]]);
  function colouring() {
    const group = data.groups.find((one) => one.role === "target");
    if (!group) return null;
    const pick = (target) => (target ? (colourBy === "rank" ? target.rank : target.score) : null);
    const known = group.parts.map(([name]) => byId.get(name)).filter(Boolean).map(pick).filter((value) => value !== null);
    let low = Math.min(...known), high = Math.max(...known);
    if (!(high > low)) { low -= 0.5; high += 0.5; }
    const values = new Float32Array(group.count);
    for (const [name, first, count] of group.parts) values.fill(pick(byId.get(name)) ?? low, first, first + count);
    return { values, low, high, known, scale: colourBy === "rank" ? turned : ramp };
  }
  function showRamp(found) {
    if (!found) return;
    const [low, high] = [Math.min(...found.known), Math.max(...found.known)];
    const said = (value) => (colourBy === "rank" ? String(value) : value.toFixed(3));
    find("#ramp-low").textContent = said(low);
    find("#ramp-high").textContent = said(high);
    find("#ramp").style.background = `linear-gradient(90deg, ${found.scale.map(([stop, colour]) => `${colour} ${100 * stop}%`).join(", ")})`;
  }

  function traceOf(group) {
    const flat = new Float32Array(bytes(group.vertices)), cells = new Uint32Array(bytes(group.cells));
    group.count = flat.length / 3;
    const [x, y, z] = [0, 1, 2].map((axis) => column(flat, 3, axis));
    const texts = wordsOf(group);
    const common = { name: group.label, visible: group.visible, opacity: group.opacity, hoverinfo: "text", showlegend: false, showscale: false };
    if (group.kind === "points") {
      return { ...common, type: "scatter3d", mode: "markers", x, y, z, text: texts, marker: { size: 4, color: group.colour } };
    }
    if (group.kind === "lines" || group.kind === "rim") {
      const path = { x: [], y: [], z: [], text: [] };
      for (let at = 0; at < cells.length; at += 2) {
        for (const row of [cells[at], cells[at + 1]]) { path.x.push(x[row]); path.y.push(y[row]); path.z.push(z[row]); path.text.push(texts[row]); }
        path.x.push(null); path.y.push(null); path.z.push(null); path.text.push("");
      }
      return { ...common, type: "scatter3d", mode: "lines", ...path, opacity: group.kind === "rim" ? 0.6 : 1, line: { width: group.kind === "rim" ? 2 : 6, color: group.colour } };
    }
    const look = { ambient: 0.72, diffuse: 0.45, specular: 0.05, roughness: 0.9, fresnel: 0 };
    const trace = { ...common, type: "mesh3d", x, y, z, i: column(cells, 3, 0), j: column(cells, 3, 1), k: column(cells, 3, 2),
      text: texts, flatshading: true, lighting: look, lightposition: { x: -4000, y: -6000, z: 12000 } };
    if (group.role !== "target") return { ...trace, color: group.colour, opacity: group.opacity < 1 ? 0.55 * group.opacity : 1 };
    const found = colouring();
    showRamp(found);
    return { ...trace, opacity: 1, intensity: found.values, cmin: found.low, cmax: found.high, colorscale: found.scale };
  }

  const traces = data.groups.map(traceOf);
  const names = data.names.map((one) => ({
    x: one.at[0], y: one.at[1], z: one.at[2], text: `<b>${plain(one.text)}</b>`, showarrow: false, yshift: 9, captureevents: false,
    font: { size: 12, color: one.colour }, bgcolor: "rgba(255,255,255,0.72)", borderpad: 0,
  }));
  const frame = traces.push({ type: "scatter3d", mode: "lines", hoverinfo: "skip", showlegend: false, visible: false, x: [0], y: [0], z: [0], line: { width: 5, color: "#111" } }) - 1;

  const axisOf = (axis) => ({
    title: { text: axis.title }, range: axis.range, autorange: false, tickmode: "array", tickvals: axis.at, ticktext: axis.words,
    showspikes: false, backgroundcolor: "#fff", gridcolor: "#dfe4e2", zeroline: false, showbackground: false, color: "#3b4441",
    tickfont: { size: 11 },
  });
  const aim = (eye, center = { x: 0, y: 0, z: 0 }, up = { x: 0, y: 0, z: 1 }) => ({ eye, center, up, projection: { type: "perspective" } });
  const narrow = () => (holder.clientWidth < holder.clientHeight * 1.1 ? 1.35 : 1);
  const away = () => 1.36 * narrow() * Math.max(1, Math.hypot(...Object.values(ratio())) / 2.77);
  const views = {
    all: () => aim({ x: 1.35 * away(), y: -1.95 * away(), z: 1.15 * away() }, { x: 0, y: 0, z: -0.14 }),
    top: () => aim({ x: 0, y: 0, z: 2.4 * away() }, undefined, { x: 0, y: 1, z: 0 }),
    south: () => aim({ x: 0, y: -2.4 * away(), z: 0.05 }),
    east: () => aim({ x: 2.4 * away(), y: 0, z: 0.05 }),
  };
  let camera = views.all();
  const layout = {
    margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "#fff", font: { family: "system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, Arial, sans-serif", size: 12 },
    hoverlabel: { bgcolor: "#fff", bordercolor: "#55605c", font: { color: "#1c2321", size: 13 }, align: "left" }, uirevision: "same",
    scene: { xaxis: axisOf(data.axes[0]), yaxis: axisOf(data.axes[1]), zaxis: axisOf(data.axes[2]), aspectmode: "manual", aspectratio: ratio(), camera, dragmode: "turntable", annotations: names },
  };

  /* Translucent sheets that have edges let the pointer through: what lies behind can be asked, and they at their edges. */
  const edged = new Set(data.groups.filter((group) => group.kind === "rim").map((group) => group.role));
  function letThrough() {
    const drawn = holder._fullLayout?.scene?._scene;
    for (const one of Object.values(drawn?.traces ?? {})) {
      const role = data.groups[one.data?.index]?.role;
      if (one.mesh && edged.has(role)) one.mesh.drawPick = () => {};
    }
    drawn?.glplot?.update?.({}); // what the pointer meets is drawn again
  }

  let moving = 0;
  function mix(a, b, part) {
    const blend = (p, q) => ({ x: p.x + (q.x - p.x) * part, y: p.y + (q.y - p.y) * part, z: p.z + (q.z - p.z) * part });
    return aim(blend(a.eye, b.eye), blend(a.center, b.center), part < 1 ? blend(a.up, b.up) : b.up);
  }
  async function flyTo(goal) {
    const turn = (moving += 1), start = camera, begun = performance.now();
    for (let part = still ? 1 : 0; turn === moving;) {
      camera = mix(start, goal, part * part * (3 - 2 * part));
      await Plotly.relayout(holder, { "scene.camera": camera });
      if (part >= 1) return;
      await new Promise((next) => requestAnimationFrame(next));
      part = Math.min(1, (performance.now() - begun) / 700);
    }
  }
  function zoomed(factor) {
    const part = (key) => camera.center[key] + (camera.eye[key] - camera.center[key]) * factor;
    return aim({ x: part("x"), y: part("y"), z: part("z") }, camera.center, camera.up);
  }
  function rotated(degrees) {
    const [c, s] = [Math.cos(degrees * Math.PI / 180), Math.sin(degrees * Math.PI / 180)];
    const [x, y] = [camera.eye.x - camera.center.x, camera.eye.y - camera.center.y];
    return aim({ x: camera.center.x + c * x - s * y, y: camera.center.y + s * x + c * y, z: camera.eye.z }, camera.center, camera.up);
  }

  function edgesOf([low, high]) {
    const pad = high.map((value, axis) => 0.04 * (value - low[axis]) + 5);
    const at = (corner) => corner.map((end, axis) => (end ? high[axis] + pad[axis] : low[axis] - pad[axis]));
    const line = { x: [], y: [], z: [] };
    for (let corner = 0; corner < 8; corner += 1) {
      for (let axis = 0; axis < 3; axis += 1) {
        if (corner & (1 << axis)) continue;
        const ends = [corner, corner | (1 << axis)].map((bits) => at([bits & 1, (bits >> 1) & 1, (bits >> 2) & 1]));
        for (const [x, y, z] of ends) { line.x.push(x); line.y.push(y); line.z.push(z); }
        line.x.push(null); line.y.push(null); line.z.push(null);
      }
    }
    return line;
  }
  async function showTarget(id, scroll) {
    const target = byId.get(id);
    markRow(id);
    if (!target) return;
    marked = id;
    find("#status").textContent = `Marked: ${target.words.join("\n")}`;
    if (scroll) find("#view").scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
    const line = edgesOf(target.box);
    await Plotly.restyle(holder, { visible: true, x: [line.x], y: [line.y], z: [line.z] }, [frame]);
    letThrough();
    const [low, high] = target.box.map(inView);
    const middle = low.map((value, axis) => (value + high[axis]) / 2);
    const reach = Math.max(0.5, 1.9 * Math.hypot(...low.map((value, axis) => high[axis] - value))) * narrow();
    const center = { x: middle[0], y: middle[1], z: middle[2] };
    await flyTo(aim({ x: center.x + 0.53 * reach, y: center.y - 0.74 * reach, z: center.z + 0.42 * reach }, center));
  }

  Plotly.newPlot(holder, traces, layout, { displayModeBar: false, responsive: true, showTips: false }).then(() => {
    letThrough();
    holder.on("plotly_relayout", (event) => { if (event["scene.camera"]) camera = event["scene.camera"]; });
    /* Plotly repeats its own click while the view moves, so a click is a press and a release at one place. */
    let under = null, pressed = null;
    holder.on("plotly_hover", (event) => {
      const { curveNumber, pointNumber } = event.points[0], group = data.groups[curveNumber];
      const part = group?.parts.find(([, first, count]) => pointNumber >= first && pointNumber < first + count);
      under = part && (group.role === "target" || group.role === "zone") ? part[0] : null;
    });
    holder.on("plotly_unhover", () => { under = null; });
    holder.addEventListener("pointerdown", (event) => { pressed = { x: event.clientX, y: event.clientY, id: under }; }, { capture: true });
    window.addEventListener("pointerup", (event) => {
      const id = pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < 4 ? pressed.id : null;
      pressed = null;
      if (id) showTarget(id, false);
    }, { capture: true });
    for (const box of all("[data-groups]")) {
      box.addEventListener("change", () => Plotly.restyle(holder, { visible: box.checked }, box.dataset.groups.split(" ").map(Number)).then(letThrough));
    }
    find("#names").addEventListener("change", (event) => Plotly.relayout(holder, { "scene.annotations": event.target.checked ? names : [] }).then(letThrough));
    find("#colour-by").addEventListener("change", (event) => {
      colourBy = event.target.value;
      const found = colouring(), at = data.groups.findIndex((one) => one.role === "target");
      if (!found) return;
      showRamp(found);
      Plotly.restyle(holder, { intensity: [found.values], cmin: found.low, cmax: found.high, colorscale: [found.scale] }, [at]).then(letThrough);
    });
    find("#exaggeration").addEventListener("change", (event) => {
      exaggeration = Number(event.target.value);
      Plotly.relayout(holder, { "scene.aspectratio": ratio() }).then(() => (marked ? showTarget(marked, false) : flyTo(views.all())));
    });
    for (const button of all("[data-view]")) {
      button.addEventListener("click", () => {
        const name = button.dataset.view;
        if (views[name]) return flyTo(views[name]());
        return flyTo(name === "in" ? zoomed(0.75) : name === "out" ? zoomed(1.33) : rotated(name === "left" ? -30 : 30));
      });
    }
    for (const row of rows) row.addEventListener("click", () => showTarget(row.dataset.target, true));
    /* The wheel scrolls the page until the view has been clicked. */
    let active = false;
    holder.addEventListener("pointerdown", () => { active = true; });
    holder.addEventListener("pointerleave", () => { active = false; });
    holder.addEventListener("wheel", (event) => { if (!active) event.stopImmediatePropagation(); }, { capture: true });
    holder.dataset.ready = "true";
  }).catch((error) => { document.body.classList.add("no-3d"); console.error(error); });
})();
