"use strict";
const page = (() => {
  const find = (selector) => document.querySelector(selector);
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const table = find("#targets-table");

  /* The table: a body for each target, sorted by raw values, empty ones always last. */
  const rows = table ? Array.from(table.tBodies) : [];
  const valueOf = (row, field) => row.querySelector(`[data-field="${field}"]`).dataset.value;
  function sortBy(field, way) {
    const sign = way === "ascending" ? 1 : -1;
    const numeric = rows.every((row) => { const v = valueOf(row, field); return v === "" || Number.isFinite(Number(v)); });
    rows.sort((a, b) => {
      const [x, y] = [valueOf(a, field), valueOf(b, field)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (numeric ? Number(x) - Number(y) : x.localeCompare(y, "en", { numeric: true }));
    });
    table.append(...rows);
    for (const head of table.tHead.rows[0].cells) {
      if (head.dataset.field === field) head.setAttribute("aria-sort", way);
      else head.removeAttribute("aria-sort");
    }
    const heading = table.tHead.querySelector(`[data-field="${field}"]`).textContent;
    find("#sorted").textContent = `Sorted by ${heading}, ${way === "ascending" ? "smallest" : "largest"} first.`;
  }
  if (table) {
    for (const head of table.tHead.rows[0].cells) {
      head.querySelector("button").addEventListener("click", () =>
        sortBy(head.dataset.field, head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending"));
    }
    find("#sort").addEventListener("change", (event) => sortBy(...event.target.value.split(" ")));
  }
  function markRow(id) {
    for (const row of rows) {
      if (row.dataset.target === id) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }

  /* What both views use. */
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  /* Plotly reads a little markup in texts; names are shown as they are. */
  function plain(text) { return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;"); }
  return { find, all, rows, markRow, bytes, still, plain };
})();
