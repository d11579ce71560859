"use strict";
const INK = "#1c2430", MUTED = "#667085", GRID = "#e6e9ef", ACCENT = "#2f6fdb", BAD = "#d7263d", FRONT = "#1f9d8b";
const SCALE = [[0, "#0b7a75"], [0.35, "#3fae8c"], [0.65, "#e3b23c"], [1, "#c8553d"]];
const BUTTONS = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];

function options(buttons) {
  return {responsive: true, displaylogo: false, displayModeBar: "hover", modeBarButtons: buttons || BUTTONS};
}

function layout(x, y) {
  const axis = {gridcolor: GRID, zeroline: false, linecolor: "#cfd5de", ticks: "outside", tickcolor: "#cfd5de"};
  return {
    font: {family: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", size: 13, color: INK},
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "#ffffff", margin: {l: 64, r: 20, t: 16, b: 56},
    xaxis: {title: {text: x}, ...axis}, yaxis: {title: {text: y}, ...axis}, hovermode: "closest",
    hoverlabel: {bgcolor: "#ffffff", bordercolor: "#cfd5de", font: {color: INK}},
    modebar: {bgcolor: "rgba(0,0,0,0)", color: "#c3cad5", activecolor: INK},
    legend: {orientation: "h", x: 0, y: 1.02, yanchor: "bottom", bgcolor: "rgba(255,255,255,0)"},
  };
}

/* A logarithmic axis with plain numbers where positive values span more than a factor of eight. */
function fitAxis(axis, values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (!(low > 0) || high <= 8 * low) return false;
  axis.type = "log";
  axis.tickvals = [];
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)) + 1; power++) {
    for (const digit of [1, 2, 5]) axis.tickvals.push(digit * 10 ** power);
  }
  axis.ticktext = axis.tickvals.map(value => value >= 1 ? value.toLocaleString("en") : String(+value.toPrecision(6)));
  return true;
}

function escapeText(text) {
  const holder = document.createElement("i");
  holder.textContent = text;
  return holder.innerHTML;
}

function element(kind, text, parent, className) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (className) made.className = className;
  if (parent) parent.append(made);
  return made;
}

/* A labelled drop-down; groups is [[heading, [[value, text], ...]], ...]. */
function dropDown(holder, name, label, groups, value, changed) {
  const frame = element("label", label, holder);
  const select = element("select", "", frame);
  select.name = name;
  for (const [heading, entries] of groups) {
    let parent = select;
    if (heading && groups.length > 1) {
      parent = element("optgroup", "", select);
      parent.label = heading;
    }
    for (const [key, text] of entries) element("option", text, parent).value = key;
  }
  select.value = value;
  select.addEventListener("change", changed);
  return select;
}

function tickBox(holder, name, label, checked, changed) {
  const frame = element("label", "", holder);
  const box = element("input", "", frame);
  box.type = "checkbox";
  box.name = name;
  box.checked = checked;
  frame.append(label);
  box.addEventListener("change", changed);
  return box;
}

/* Places of the points that no other one beats in both x and y, by x: the front in just these two. */
function staircase(x, y) {
  const order = x.map((_, place) => place).sort((a, b) => x[a] - x[b] || y[a] - y[b]);
  let least = Infinity;
  return order.filter(place => y[place] < least && ((least = y[place]), true));
}

function short(value) {
  return value === null || value === undefined ? "–" : String(+Number(value).toPrecision(4));
}

class Explorer {
  constructor(chart, controls, data) {
    this.chart = chart;
    this.data = data;
    this.axes = new Map(data.axes.map(axis => [axis.name, axis]));
    const redraw = () => this.draw();
    const groups = [
      ["Objectives", data.axes.filter(axis => axis.objective)],
      ["Other numbers", data.axes.filter(axis => !axis.objective && !axis.name.startsWith("hw."))],
      ["Hardware", data.axes.filter(axis => axis.name.startsWith("hw."))],
    ].filter(group => group[1].length).map(([name, axes]) => [name, axes.map(axis => [axis.name, axis.title])]);
    this.x = dropDown(controls, "x", "across", groups, data.start[0], redraw);
    this.y = dropDown(controls, "y", "up", groups, data.start[1], redraw);
    this.colour = dropDown(controls, "colour", "colour", [["", [["", "none"]]], ...groups], data.start[2] || "", redraw);
    this.all = tickBox(controls, "dominated", "dominated designs", true, redraw);
    this.line = tickBox(controls, "two", "front in these two alone", false, redraw);
    this.inspector = element("div", "", chart.parentElement, "inspector");
    this.inspector.hidden = true;
    this.draw();
    chart.on("plotly_click", event => this.inspect(event.points[0].customdata));
  }

  trace(name, rows, marker) {
    const [x, y] = [this.axes.get(this.x.value), this.axes.get(this.y.value)];
    return {
      type: rows.length > 1500 ? "scattergl" : "scatter", mode: "markers", name: `${name} (${rows.length})`, marker,
      x: rows.map(row => x.values[row]), y: rows.map(row => y.values[row]), customdata: rows,
      text: rows.map(row => this.hover(row)), hovertemplate: "%{text}<extra></extra>",
    };
  }

  hover(row) {
    const shown = new Set([...this.data.axes.filter(axis => axis.objective), this.axes.get(this.x.value),
      this.axes.get(this.y.value), ...(this.colour.value ? [this.axes.get(this.colour.value)] : [])]);
    const lines = [`<b>Trial ${this.axes.get("number").values[row]}</b>`];
    for (const axis of shown) {
      if (axis.name === "number") continue;
      const sigma = axis.name === "error_pct" && this.data.sigma ? ` ± ${short(this.data.sigma[row])}` : "";
      lines.push(`${escapeText(axis.title)}: ${short(axis.values[row])}${sigma}`);
    }
    return lines.join("<br>");
  }

  bars(rows) {
    const array = rows.map(row => this.data.sigma[row]);
    return {type: "data", array, color: "#8fcfc4", thickness: 1, width: 2};
  }

  draw() {
    const {data} = this, [x, y] = [this.axes.get(this.x.value), this.axes.get(this.y.value)];
    const colour = this.axes.get(this.colour.value);
    const rows = [...data.front.keys()], front = rows.filter(row => data.front[row]);
    const rest = rows.filter(row => !data.front[row]), traces = [];
    if (this.all.checked) {
      traces.push(this.trace("Dominated", rest, {size: 6, color: "#b4bcc9", opacity: 0.65}));
    }
    if (this.line.checked) {
      const steps = staircase(x.values, y.values);
      traces.push({
        type: "scatter", mode: "lines", name: `Front in these two (${steps.length})`, hoverinfo: "skip",
        x: steps.map(row => x.values[row]), y: steps.map(row => y.values[row]),
        line: {shape: "hv", color: ACCENT, width: 1.5, dash: "dot"},
      });
    }
    const marker = {size: 10, line: {color: INK, width: 0.8}, color: FRONT};
    if (colour) {
      Object.assign(marker, {color: front.map(row => colour.values[row]), colorscale: SCALE,
        colorbar: {title: {text: colour.title, side: "right"}, thickness: 12, outlinewidth: 0}});
    }
    const best = this.trace("Pareto front", front, marker);
    if (data.sigma && x.name === "error_pct") best.error_x = this.bars(front);
    if (data.sigma && y.name === "error_pct") best.error_y = this.bars(front);
    traces.push(best);
    if (typeof x.baseline === "number" && typeof y.baseline === "number") {
      traces.push({
        type: "scatter", mode: "markers", name: "Baseline", x: [x.baseline], y: [y.baseline],
        marker: {symbol: "star", size: 17, color: BAD, line: {color: "#ffffff", width: 1}},
        hovertemplate: "Baseline<br>%{x:.4g}, %{y:.4g}<extra></extra>",
      });
    }
    const drawn = layout(x.title, y.title);
    const logs = [x, y].map((axis, place) => {
      const seen = this.all.checked ? axis.values : front.map(row => axis.values[row]);
      return fitAxis(place ? drawn.yaxis : drawn.xaxis, seen);
    });
    const at = (axis, row, log) => log ? Math.log10(axis.values[row]) : axis.values[row];
    const ends = rows.filter(row => this.all.checked || data.front[row]).map(row => at(x, row, logs[0]));
    const middle = ends.length ? (Math.min(...ends) + Math.max(...ends)) / 2 : 0;
    drawn.annotations = data.chosen.map(([row, title], place) => {
      const left = at(x, row, logs[0]) > middle;
      return {
        x: at(x, row, logs[0]), y: at(y, row, logs[1]), text: escapeText(title), showarrow: true, arrowhead: 0,
        arrowwidth: 1, arrowcolor: MUTED, ax: left ? -30 : 30, ay: -30 - 22 * (place % 3),
        xanchor: left ? "right" : "left", font: {size: 12}, bgcolor: "rgba(255,255,255,0.7)", borderpad: 1,
      };
    });
    Plotly.react(this.chart, traces, drawn, options());
  }

  inspect(row) {
    const {data, inspector} = this;
    if (row === undefined || row === null || !this.axes.has("number")) return;
    inspector.hidden = false;
    inspector.replaceChildren();
    element("h3", `Trial ${this.axes.get("number").values[row]}${data.front[row] ? "" : " (dominated)"}`, inspector);
    const facts = element("div", "", inspector, "facts");
    for (const axis of data.axes) {
      if (axis.name === "number" || axis.name.startsWith("hw.")) continue;
      element("b", short(axis.values[row]), element("span", axis.title, facts));
    }
    const list = element("div", "", inspector, "choices"), known = data.designs[row];
    if (!known) {
      element("span", "Its choices are in trials.csv.", list);
      return;
    }
    data.choices.forEach((name, place) => {
      const before = data.original[place], now = known[place], changed = before && before !== now;
      const item = element("span", name.slice(name.indexOf(".") + 1).replace(/[._]/g, " ") + " ", list);
      if (changed) {
        item.className = "changed";
        element("i", before, item);
      }
      item.append(now);
    });
  }
}

/* Curves of one search, or of several seeds with their mean and its confidence interval. */
class Curves {
  constructor(chart, controls, data) {
    this.chart = chart;
    this.data = data;
    const redraw = () => this.draw();
    this.y = dropDown(controls, "curve", "", [["", data.y.map(one => [one.name, one.title])]], data.y[0].name, redraw);
    const axes = data.x.map(title => [title, title]);
    this.x = dropDown(controls, "axis", "over", [["", axes]], data.x[0], redraw);
    this.draw();
  }

  draw() {
    const curve = this.data.y.find(one => one.name === this.y.value), over = this.x.value;
    const drawn = layout(over, curve.title);
    drawn.hovermode = "x unified";
    drawn.showlegend = this.data.bands;
    const traces = this.data.bands ? this.band(curve, over) : this.single(curve, over);
    const seen = traces.flatMap(trace => trace.y).filter(value => typeof value === "number");
    if (typeof curve.baseline === "number") {
      drawn.shapes = [{type: "line", x0: 0, x1: 1, xref: "paper", y0: curve.baseline, y1: curve.baseline,
        line: {color: BAD, width: 1.5, dash: "dash"}}];
      drawn.annotations = [{x: 1, xref: "paper", xanchor: "right", y: curve.baseline, yanchor: "bottom",
        text: "baseline", showarrow: false, font: {color: BAD, size: 12}}];
      seen.push(curve.baseline);
    }
    if (seen.length) {
      const low = Math.min(...seen), high = Math.max(...seen), room = Math.max((high - low) * 0.12, Math.abs(high) * 0.01);
      drawn.yaxis.range = [low < room && low >= 0 ? 0 : low - room, high + room];
    }
    Plotly.react(this.chart, traces, drawn, options());
  }

  single(curve, over) {
    return curve.runs[over].map((x, place) => ({
      type: "scatter", mode: "lines", x, y: curve.values[place], line: {color: ACCENT, width: 2, shape: "hv"},
      name: curve.title, hovertemplate: "%{y:.5~g}<extra></extra>",
    }));
  }

  band(curve, over) {
    const found = curve.bands[over];
    const edge = (y, more) => ({type: "scatter", mode: "lines", x: found.x, y, line: {width: 0, shape: "hv"},
      hoverinfo: "skip", showlegend: false, ...more});
    const runs = found.runs.map((y, place) => ({
      type: "scatter", mode: "lines", x: found.x, y, line: {color: "#b4bcc9", width: 1, shape: "hv"},
      name: `seed ${this.data.seeds[place]}`, showlegend: false, hovertemplate: "%{y:.5~g}",
    }));
    return [
      ...runs, edge(found.low, {}),
      edge(found.high, {fill: "tonexty", fillcolor: "rgba(47,111,219,0.15)", showlegend: true, name: "95 % interval of the mean"}),
      {type: "scatter", mode: "lines", x: found.x, y: found.mean, name: "mean of the seeds",
        line: {color: ACCENT, width: 2.5, shape: "hv"}, hovertemplate: "%{y:.5~g}"},
    ];
  }
}

for (const holder of document.querySelectorAll(".chart")) {
  const chart = JSON.parse(holder.querySelector("script").textContent);
  const controls = holder.parentElement.querySelector(".controls");
  holder.style.height = holder.dataset.height + "px";
  if (holder.dataset.kind === "explorer") {
    holder.explorer = new Explorer(holder, controls, chart);
  } else if (holder.dataset.kind === "curves") {
    holder.curves = new Curves(holder, controls, chart);
  } else {
    const buttons = chart.data[0] && chart.data[0].type === "parcoords" ? [["toImage"]] : BUTTONS;
    Plotly.newPlot(holder, chart.data, chart.layout, options(buttons));
  }
}
