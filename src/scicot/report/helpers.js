"use strict";
const {verdict, made, questions} = JSON.parse(document.getElementById("data").textContent);
const {systems, comparisons} = verdict, by = made.settings.by;
const $ = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const PAGE = 20, COLOURS = 6, LINES = 120;
const colour = number => number < COLOURS ? `var(--c${number})` : `hsl(${(number * 137) % 360} 55% 55%)`;
// toFixed, but of two digits exactly as near the even one, as the tables on the terminal have it.
function fixed(value, digits) {
  const up = value.toFixed(digits), rest = value.toFixed(40).split(".")[1].slice(digits);
  return /^50*$/.test(rest) && Number(up.at(-1)) % 2 ? (value - 10 ** -digits / 4).toFixed(digits) : up;
}
const percent = (value, digits = 1) => value === null || value === undefined ? "" : `${fixed(100 * value, digits)} %`;
const tickLabel = value => percent(value, Math.abs(100 * value - Math.round(100 * value)) < 1e-9 ? 0 : 1);
// Control characters, and those that turn the direction of what follows, are shown by their names.
const visible = text => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
  c => c < " " ? String.fromCharCode(0x2400 + c.charCodeAt(0)) : `\u27e8U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
function drawn(parent, name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}
function picture(width, height, label) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  return svg;
}
// A table whose columns sort by a click on their heading; rows of `last` stay at the end.
function table(target, headings, rows, last = []) {
  const line = cells => element("tr", {}, ...cells.map(c => element("td", {}, c)));
  const body = element("tbody", {}, ...rows.map(line));
  const heads = headings.map((text, column) => {
    const button = element("button", {type: "button", class: "sort"}, text);
    const head = element("th", {scope: "col"}, rows.length > 1 ? button : text);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const sorted = [...rows].sort((a, b) => (up ? 1 : -1) * compared(a[column], b[column]));
      body.replaceChildren(...sorted.map(line), ...last.map(line));
    });
    return head;
  });
  body.append(...last.map(line));
  target.append(element("thead", {}, element("tr", {}, ...heads)), body);
}
// Cells as numbers where both begin with one; an empty cell is less than any other.
function compared(a, b) {
  const [m, n] = [a, b].map(text => parseFloat(String(text).replace(/,/g, "")));
  if (!isNaN(m) && !isNaN(n)) return m - n;
  return a === "" || b === "" ? (a === "") - (b === "") === 0 ? 0 : a === "" ? -1 : 1 : String(a).localeCompare(String(b));
}
function key(names) {
  return element("div", {class: "key"}, ...names.map((name, n) =>
    element("span", {}, element("i", {style: `background:${colour(n)}`}), visible(name))));
}

// A line for each row, with a dot and its interval for each of its points, on one scale.
function dots(rows, scale, label) {
  const left = 195, width = 560, most = Math.max(...rows.map(row => row.points.length));
  const step = 20 + 7 * most, height = rows.length * step + 34;
  const svg = picture(width, height, label);
  svg.setAttribute("class", "dots");
  const x = v => left + (width - left - 20) * (v - scale.low) / (scale.high - scale.low);
  for (const tick of scale.ticks) {
    drawn(svg, "line", {class: "grid", x1: x(tick), x2: x(tick), y1: 4, y2: height - 24});
    drawn(svg, "text", {x: x(tick), y: height - 8, "text-anchor": "middle"}, scale.told(tick));
  }
  rows.forEach((row, n) => {
    const middle = 4 + step * (n + .5), name = visible(row.name), count = row.count || "", room = 24 - count.length;
    const text = drawn(svg, "text", {class: "name", x: left - 10, y: middle + 4, "text-anchor": "end"},
      (name.length > room ? name.slice(0, room - 1) + "\u2026" : name) + count);
    drawn(text, "title", {}, name);
    row.points.forEach((point, place) => {
      const y = middle + 9 * (place - (row.points.length - 1) / 2), stroke = colour(point.colour);
      drawn(svg, "line", {x1: x(point.interval[0]), x2: x(point.interval[1]), y1: y, y2: y, stroke, "stroke-width": 2});
      const dot = drawn(svg, "circle", {cx: x(point.value), cy: y, r: 4, fill: stroke});
      drawn(dot, "title", {}, point.title);
    });
  });
  return svg;
}
function square(label, xs, ys) {
  const svg = picture(470, 330, label), x = v => 44 + 400 * v, y = v => 290 - 280 * v / ys.high;
  for (const tick of xs) {
    drawn(svg, "line", {class: "grid", x1: x(tick), x2: x(tick), y1: 10, y2: 290});
    drawn(svg, "text", {x: x(tick), y: 308, "text-anchor": "middle"}, percent(tick, 0));
  }
  for (const tick of ys.ticks) {
    drawn(svg, "line", {class: "grid", x1: 44, x2: 444, y1: y(tick), y2: y(tick)});
    drawn(svg, "text", {x: 38, y: y(tick) + 4, "text-anchor": "end"}, tickLabel(tick));
  }
  return {svg, x, y};
}
const quarters = [0, .25, .5, .75, 1];
const shares = {low: 0, high: 1, ticks: quarters, told: v => percent(v, 0)};

