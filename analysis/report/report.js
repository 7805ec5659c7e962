"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const COLOURS = ["#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#009E73", "#CC79A7"];
  const DASHES = ["", "8 3", "2 2", "8 3 2 3", "12 4"];
  const MOST_LISTED = 300;
  const byId = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const chosen = []; // numbers of runs, in the order they were chosen

  function make(name, attributes, text) {
    const element = document.createElementNS(SVG, name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function html(name, text) {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function look(place) {
    return { stroke: COLOURS[place % COLOURS.length], "stroke-dasharray": DASHES[place % DASHES.length], "stroke-width": 2, fill: "none" };
  }

  function written(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 1e9) return +(value / 1e9).toPrecision(3) + "G";
    if (size >= 1e6) return +(value / 1e6).toPrecision(3) + "M";
    if (size >= 1e4) return +(value / 1e3).toPrecision(3) + "k";
    return size < 1e-3 ? value.toExponential(0) : String(+value.toPrecision(3));
  }

  function linearTicks(low, high, count) {
    const rough = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => size >= rough);
    const ticks = [];
    for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) ticks.push(tick);
    return ticks;
  }

  function logTicks(low, high) {
    const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
    const every = Math.max(1, Math.ceil((last - first) / 7));
    const digits = last - first <= 2 ? [1, 2, 5] : [1];
    const ticks = [];
    for (let power = first; power <= last; power += every) for (const digit of digits) ticks.push(digit * 10 ** power);
    return ticks.filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9));
  }

  function points(run, x, y, log) {
    const found = [];
    (run[y] || []).forEach((value, i) => {
      const across = run[x][i];
      if (value !== null && across !== null && (!log || value > 0)) found.push([across, value]);
    });
    return found;
  }

  function plot() {
    const x = byId("x").value, y = byId("y").value, log = byId("log").checked;
    const place = byId("plot");
    place.replaceChildren();
    const lines = chosen.map((number) => points(data.runs[number], x, y, log));
    const all = lines.flat();
    if (!all.length) {
      place.append(html("p", chosen.length ? "The runs chosen have no such metric." : "Choose runs to see their curves."));
      return;
    }
    const W = Math.max(330, Math.min(720, place.clientWidth || 720)), H = Math.round(W * 0.62), left = 62, right = 14, top = 10, bottom = 44;
    const extent = (i) => all.reduce(([low, high], point) => [Math.min(low, point[i]), Math.max(high, point[i])], [Infinity, -Infinity]);
    let [x0, x1] = extent(0), [y0, y1] = extent(1);
    if (x0 === x1) x1 = x0 + 1;
    if (log) { y0 /= 1.15; y1 *= 1.15; }
    else { const room = (y1 - y0) * 0.05 || 0.5; y0 -= room; y1 += room; }
    const scale = log ? Math.log10 : (value) => value;
    const across = (value) => left + (W - left - right) * (value - x0) / (x1 - x0);
    const up = (value) => H - bottom - (H - top - bottom) * (scale(value) - scale(y0)) / (scale(y1) - scale(y0));
    const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": data.metrics[y] });
    for (const tick of linearTicks(x0, x1, W > 450 ? 6 : 4)) {
      svg.append(make("line", { x1: across(tick), x2: across(tick), y1: top, y2: H - bottom, stroke: "#ddd" }));
      svg.append(make("text", { x: across(tick), y: H - bottom + 16, "text-anchor": "middle" }, written(tick)));
    }
    for (const tick of log ? logTicks(y0, y1) : linearTicks(y0, y1, 6)) {
      svg.append(make("line", { x1: left, x2: W - right, y1: up(tick), y2: up(tick), stroke: "#ddd" }));
      const percent = y.startsWith("accuracy") ? written(100 * tick) + " %" : written(tick);
      svg.append(make("text", { x: left - 6, y: up(tick) + 4, "text-anchor": "end" }, percent));
    }
    svg.append(make("text", { x: (left + W) / 2, y: H - 6, "text-anchor": "middle" }, byId("x").selectedOptions[0].textContent));
    lines.forEach((line, i) => {
      const d = line.map(([a, b], k) => (k ? "L" : "M") + across(a).toFixed(1) + " " + up(b).toFixed(1)).join("");
      const path = make("path", { d, class: "curve", ...look(i) });
      path.append(make("title", {}, data.runs[chosen[i]].name));
      svg.append(path);
    });
    place.append(svg);
  }

  function legend() {
    byId("legend").replaceChildren(...chosen.map((number, i) => {
      const line = html("div"), run = data.runs[number];
      const key = make("svg", { viewBox: "0 0 34 10" });
      key.append(make("path", { d: "M0 5L34 5", ...look(i) }));
      line.append(key, `${run.label}, seed ${run.settings.seed}${run.state === "done" ? "" : " (" + run.state + ")"}`);
      return line;
    }));
  }

  function differences() {
    const place = byId("differences"), runs = chosen.map((number) => data.runs[number]);
    place.replaceChildren();
    if (runs.length < 2) return;
    const keys = [...new Set(runs.flatMap((run) => Object.keys(run.settings)))];
    const apart = keys.filter((key) => new Set(runs.map((run) => run.settings[key])).size > 1);
    if (!apart.length) { place.append(html("p", "These runs have the same settings.")); return; }
    const table = html("table"), head = html("tr");
    head.append(html("th", "setting"), ...runs.map((run) => html("th", run.name)));
    table.append(head);
    for (const key of apart) {
      const row = html("tr");
      row.append(html("td", key), ...runs.map((run) => html("td", run.settings[key] === undefined ? "–" : run.settings[key])));
      table.append(row);
    }
    place.append(table);
  }

  function show() { plot(); legend(); differences(); }

  function choices() {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = data.runs.map((run, number) => [run, number]).filter(([run]) => {
      const text = `${run.name} ${run.label} ${run.state}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    byId("choices").replaceChildren(...found.slice(0, MOST_LISTED).map(([run, number]) => {
      const label = html("label"), box = html("input");
      box.type = "checkbox";
      box.checked = chosen.includes(number);
      box.dataset.run = number;
      box.addEventListener("change", () => {
        if (box.checked) chosen.push(number);
        else chosen.splice(chosen.indexOf(number), 1);
        show();
      });
      label.append(box, html("span", run.name));
      return label;
    }));
    if (!found.length) byId("choices").append("no run has these words");
    if (found.length > MOST_LISTED) byId("choices").append(`${found.length - MOST_LISTED} more: narrow the search`);
  }

  for (const name in data.metrics) {
    const option = html("option", data.metrics[name]);
    option.value = name;
    byId("y").append(option);
  }
  byId("y").value = data.first;
  byId("log").checked = /error|consensus/.test(data.first);
  byId("y").addEventListener("change", () => { byId("log").checked = /error|consensus/.test(byId("y").value); plot(); });
  byId("x").addEventListener("change", plot);
  byId("log").addEventListener("change", plot);
  byId("find").addEventListener("input", choices);
  byId("clear").addEventListener("click", () => { chosen.length = 0; choices(); show(); });
  addEventListener("resize", plot);
  const labels = new Set();
  data.runs.forEach((run, number) => { // to begin with, a run of each of three labels
    if (labels.size < 3 && !labels.has(run.label)) { labels.add(run.label); chosen.push(number); }
  });
  choices();
  show();
})();
