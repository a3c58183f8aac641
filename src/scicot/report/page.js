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
function table(target, headings, rows) {
  target.append(element("thead", {}, element("tr", {}, ...headings.map(h => element("th", {scope: "col"}, h)))),
    element("tbody", {}, ...rows.map(cells => element("tr", {}, ...cells.map(c => element("td", {}, c))))));
}
function key(names) {
  return element("div", {class: "key"}, ...names.map((name, n) =>
    element("span", {}, element("i", {style: `background:${colour(n)}`}), visible(name))));
}

// A dot and its interval for each name, on one scale.
function dots(rows, scale, label) {
  const left = 170, width = 560, step = 26, height = rows.length * step + 34;
  const svg = picture(width, height, label);
  svg.setAttribute("class", "dots");
  const x = v => left + (width - left - 20) * (v - scale.low) / (scale.high - scale.low);
  for (const tick of scale.ticks) {
    drawn(svg, "line", {class: "grid", x1: x(tick), x2: x(tick), y1: 4, y2: height - 24});
    drawn(svg, "text", {x: x(tick), y: height - 8, "text-anchor": "middle"}, scale.told(tick));
  }
  rows.forEach((row, n) => {
    const y = 18 + n * step, name = visible(row.name), count = row.count || "", room = 26 - count.length;
    const text = drawn(svg, "text", {class: "name", x: left - 10, y: y + 4, "text-anchor": "end"},
      (name.length > room ? name.slice(0, room - 1) + "\u2026" : name) + count);
    drawn(text, "title", {}, name);
    drawn(svg, "line", {x1: x(row.interval[0]), x2: x(row.interval[1]), y1: y, y2: y, stroke: colour(row.colour), "stroke-width": 2});
    const dot = drawn(svg, "circle", {cx: x(row.value), cy: y, r: 4.5, fill: colour(row.colour)});
    drawn(dot, "title", {}, row.title);
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

function showSystems() {
  const level = `${+(100 * verdict.level).toFixed(4)} % interval`;
  const work = systems.filter(s => s.cost).map(s => s.cost.work), least = Math.min(...work);
  const price = s => !work.length ? [] : s.cost ? [s.cost.weights.toLocaleString("en"), `${fixed(s.cost.work / least, 1)} x`] : ["", ""];
  table($("systems"), ["system", "questions", "answered", "accuracy", level, "among answered", ...(work.length ? ["weights", "cost"] : [])], [
    ...systems.map(s => [visible(s.name) + (s.oracle ? " *" : ""), s.questions.toLocaleString("en"), s.answered.toLocaleString("en"),
      percent(s.accuracy), `${percent(s.interval[0])} \u2013 ${percent(s.interval[1])}`, percent(s.accuracy_answered), ...price(s)]),
    ["chance", "", "", [...new Set(systems.map(s => percent(s.chance)))].join(" / "), "", "", ...(work.length ? ["", ""] : [])]]);
  const notes = [];
  if (systems.some(s => s.oracle)) notes.push("* an upper bound: it read given rationales, or saw the answer.");
  for (const s of systems) if (s.spread !== null)
    notes.push(`${visible(s.name)}: ${s.by_seed.length} seeds, ${s.by_seed.map(v => percent(v)).join(", ")} (sd ${fixed(100 * s.spread, 1)}); its plots, answers and rationales below are of the first.`);
  if (verdict.cluster_by) notes.push(`Intervals resample ${visible(verdict.cluster_by)}, not questions.`);
  $("systems-note").textContent = notes.join(" ");
  $("hints").append(...verdict.hints.map(hint => element("li", {}, visible(hint) + ".")));
  const main = comparisons.find(c => c.primary) || comparisons[0];
  document.title = `scicot: ${systems.map(s => visible(s.name)).join(", ")}`;
  $("verdict").textContent = main ? visible(main.verdict) + "."
    : `${visible(systems[0].name)}: ${percent(systems[0].accuracy)} of ${systems[0].questions.toLocaleString("en")} questions.`;
}
function showDifferences() {
  if (!comparisons.length) return $("differences-section").remove();
  const widest = Math.max(.02, ...comparisons.flatMap(c => c.interval.map(Math.abs)));
  const most = [.02, .04, .1, .2, .4, .6, .8, 1].find(limit => widest <= limit) || 1;
  const told = v => v === 0 ? "0" : `${v > 0 ? "+" : "\u2212"}${+Math.abs(100 * v).toFixed(1)}`;
  const scale = {low: -most, high: most, ticks: [-most, -most / 2, 0, most / 2, most], told};
  $("differences").append(dots(comparisons.map((c, n) => ({name: c.second, value: c.difference, interval: c.interval, colour: n + 1,
    title: visible(c.sentence)})), scale, "differences of accuracy in points"),
    element("figcaption", {}, `${visible(comparisons[0].first)} minus each of the others, in points`));
  for (const c of comparisons) $("sentences").append(element("li", {}, visible(c.sentence)));
  if (verdict.cheapest) $("sentences").append(element("li", {}, visible(verdict.cheapest.sentence)));
}
function showConfidence() {
  const told = systems.map((s, n) => ({...s, n})).filter(s => s.calibration);
  if (!told.length) return $("confidence-section").remove();
  table($("confidence"), ["system", "ECE", "noise", "Brier score", "NLL", "AURC", "right of surest 80 %", "60 %", "40 %"], told.map(s =>
    [visible(s.name), ...["ece", "ece_by_chance", "brier", "nll", "aurc"].map(name => s.calibration[name] === null ? "" : fixed(s.calibration[name], 3)),
      ...["80%", "60%", "40%"].map(share => percent(1 - s.calibration.risk_at[share]))]));
  const reliable = square("reliability", quarters, {high: 1, ticks: quarters});
  drawn(reliable.svg, "line", {class: "grid", x1: 44, y1: 290, x2: 444, y2: 10, "stroke-dasharray": "4 4"});
  const worst = Math.max(...told.flatMap(s => Object.values(s.calibration.risk_at)));
  const most = [.1, .2, .4, .6, .8].find(limit => worst <= limit) || 1;
  const risky = square("risk and coverage", quarters, {high: most, ticks: [0, most / 4, most / 2, .75 * most, most]});
  for (const s of told) {
    const {bins, risk_at: risks} = s.calibration, stroke = colour(s.n);
    const path = (at, pairs) => pairs.map(([a, b], n) => `${n ? "L" : "M"}${at.x(a)},${at.y(b)}`).join("");
    const pairs = bins.confidence.map((c, n) => [c, bins.accuracy[n]]);
    bins.confidence.forEach((c, n) => drawn(reliable.svg, "line", {x1: reliable.x(c), x2: reliable.x(c), stroke, opacity: .35, "stroke-width": 6,
      y1: reliable.y(Math.max(0, c - 2 * bins.noise[n])), y2: reliable.y(Math.min(1, c + 2 * bins.noise[n]))}));
    drawn(reliable.svg, "path", {d: path(reliable, pairs), fill: "none", stroke, "stroke-width": 2});
    pairs.forEach(([a, b], n) => drawn(drawn(reliable.svg, "circle", {cx: reliable.x(a), cy: reliable.y(b), r: 4, fill: stroke}),
      "title", {}, `${bins.questions[n]} questions: ${percent(a)} sure, ${percent(b)} right`));
    const curve = Object.entries(risks).map(([share, risk]) => [parseFloat(share) / 100, risk]);
    drawn(risky.svg, "path", {d: path(risky, curve), fill: "none", stroke, "stroke-width": 2});
    for (const [a, b] of curve) drawn(drawn(risky.svg, "circle", {cx: risky.x(a), cy: risky.y(b), r: 4, fill: stroke}),
      "title", {}, `the surest ${percent(a, 0)}: ${percent(b)} wrong`);
  }
  $("reliability").append(reliable.svg, key(systems.map(s => s.name)));
  $("risk").append(risky.svg, key(systems.map(s => s.name)));
}
function showRationales() {
  const told = systems.filter(s => s.rationales);
  if (!told.length) return $("rationales-section").remove();
  table($("rationales"), ["system", "words", "repeated", "announce an answer", "name one choice", "and predict it", "ROUGE-L"], told.map(s => {
    const own = s.rationales;
    return [visible(s.name), fixed(own.words, 1), percent(own.repeated), percent(own.leaks), percent(own.names_one), percent(own.agree),
      own.rouge_l === null ? "" : fixed(own.rouge_l, 3)];
  }));
  $("rationales-note").textContent = Object.entries(verdict.reliance).map(([answer, own]) => `${visible(answer)} by whose rationales it read: `
    + Object.entries(own).map(([source, value]) => `${source} ${percent(value)}`).join(", ") + ".").join(" ");
}
function showGroups() {
  if (!by.length) return $("groups-section").remove();
  for (const path of by) {
    const values = [...new Set(systems.flatMap(s => s.groups[path].map(g => g.value)))], most = Math.ceil(LINES / systems.length);
    const rows = values.slice(0, most).flatMap(value => systems.map((s, n) => ({n, own: s.groups[path].find(g => g.value === value)}))
      .filter(({own}) => own).map(({n, own}, place) => ({name: place ? "" : value, count: place ? "" : ` (${own.questions})`, value: own.accuracy,
        interval: own.interval, colour: n, title: `${visible(systems[n].name)}, ${visible(value)}: ${percent(own.accuracy)} of ${own.questions}`})));
    const left = values.length > most ? `; the first ${most} of ${values.length} groups, the others are in --json` : "";
    $("groups").append(element("figure", {}, element("figcaption", {}, visible(path) + left), dots(rows, shares, `accuracy by ${path}`),
      key(systems.map(s => s.name))));
  }
}

function showPlaces() {
  for (const s of systems) {
    const most = s.confusion.length, none = s.confusion.some(row => row[most]);
    const cells = (row, n) => row.slice(0, most + (none ? 1 : 0)).map((count, place) => {
      const all = row.reduce((sum, own) => sum + own, 0), share = all ? count / all : 0;
      return element("td", {class: place === n ? "gold" : "", title: percent(share),
        style: `background:color-mix(in srgb, ${colour(0)} ${Math.round(45 * share)}%, transparent)`}, count.toLocaleString("en"));
    });
    const grid = element("table", {class: "places"});
    grid.append(element("thead", {}, element("tr", {}, element("th", {scope: "col"}, "right \u2193 named \u2192"),
      ...s.confusion.map((_, n) => element("th", {scope: "col"}, n + 1)), ...(none ? [element("th", {scope: "col"}, "none")] : []))),
      element("tbody", {}, ...s.confusion.map((row, n) => element("tr", {}, element("th", {scope: "row"}, n + 1), ...cells(row, n)))));
    $("places").append(element("figure", {}, element("figcaption", {}, visible(s.name)), element("div", {class: "scroll"}, grid)));
  }
}

// The browser of questions.
const found = {list: questions, page: 0};
const words = questions.map(q => [q.id, q.text, q.context, ...q.choices.map(c => c[1]), ...q.said.flatMap(s => s ? s.rationales : [])].join("\n").toLowerCase());
const right = (q, n) => q.said[n] !== null && q.said[n].place === q.gold;

function matching() {
  const query = $("search").value.toLowerCase().split(/\s+/).filter(Boolean), n = +$("system").value;
  const answer = $("answer").value, agreement = $("agreement").value, group = $("group").value;
  const low = +$("low").value / 100, high = +$("high").value / 100, any = low <= 0 && high >= 1;
  return questions.filter((q, place) => {
    const own = q.said[n];
    if (query.some(word => !words[place].includes(word))) return false;
    if (answer && (own === null || (answer === "none" ? own.place !== null : own.place === null && answer === "right" || right(q, n) !== (answer === "right")))) return false;
    if (!any && (own === null || own.sure === null || own.sure < low || own.sure > high)) return false;
    if (group && q.groups.join("\u0000") !== group) return false;
    if (agreement) {
      const count = q.said.filter((_, other) => right(q, other)).length;
      if (agreement === "differ" ? count === 0 || count === q.said.length : count !== (agreement === "all" ? q.said.length : 0)) return false;
    }
    return true;
  });
}
function marked(text) {
  const query = $("search").value.split(/\s+/).filter(Boolean), shown = visible(text);
  if (!query.length) return [shown];
  const pattern = new RegExp(`(${query.map(w => w.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "gi");
  return shown.split(pattern).map((part, n) => n % 2 ? element("mark", {}, part) : part);
}
function card(q) {
  const rows = q.choices.map(([label, text], place) => element("tr", {class: place === q.gold ? "gold" : ""},
    element("td", {}, visible(label) + (place === q.gold ? " \u2713" : "")), element("td", {class: "text", dir: "auto"}, ...marked(text)),
    ...q.said.map((own, n) => {
      const score = own && own.scores ? own.scores[place] : null, chosen = own && own.place === place;
      const bar = element("b", {style: `width:${100 * (score || 0)}%;background:${colour(n)}`});
      return element("td", {class: "figure"}, bar, element("span", {class: chosen ? (right(q, n) ? "right" : "wrong") : ""},
        (chosen ? "\u25cf " : "") + (score === null ? "" : percent(score, 0))));
    })));
  const head = element("tr", {}, element("td", {}), element("td", {}), ...systems.map((s, n) => element("td", {class: "figure note"},
    visible(s.name) + (q.said[n] === null ? ": not asked" : q.said[n].place === null ? ": no answer" : ""))));
  const told = q.said.flatMap((own, n) => own && own.rationales.length ? [element("details", n ? {} : {open: ""},
    element("summary", {}, `${visible(systems[n].name)}: ${own.rationales.length === 1 ? "rationale" : own.rationales.length + " rationales"}`),
    ...own.rationales.map(text => element("p", {class: "text", dir: "auto"}, ...marked(text))))] : []);
  return element("li", {}, element("div", {class: "id"}, visible(q.id)), element("div", {class: "question", dir: "auto"}, ...marked(q.text)),
    ...(q.context ? [element("details", {}, element("summary", {}, "context"), element("p", {class: "text", dir: "auto"}, ...marked(q.context)))] : []),
    element("div", {class: "scroll"}, element("table", {class: "choices"}, element("tbody", {}, head, ...rows))), ...told);
}
function show() {
  const pages = Math.max(1, Math.ceil(found.list.length / PAGE));
  found.page = Math.min(Math.max(0, found.page), pages - 1);
  $("list").replaceChildren(...found.list.slice(found.page * PAGE, (found.page + 1) * PAGE).map(card));
  $("found").textContent = `${found.list.length.toLocaleString("en")} of ${questions.length.toLocaleString("en")} questions`;
  if (systems[0].questions > questions.length) $("found").textContent += ` (the page holds the first ones; the figures are of all)`;
  $("page").textContent = `page ${found.page + 1} of ${pages.toLocaleString("en")}`;
  $("previous").disabled = found.page === 0;
  $("next").disabled = found.page === pages - 1;
}
function filter() { found.list = matching(); found.page = 0; show(); }
function turn(by) { found.page += by; show(); $("found").scrollIntoView(); }

systems.forEach((s, n) => $("system").append(new Option(visible(s.name), n)));
if (questions.some(q => q.groups.length)) {
  const groups = [...new Set(questions.map(q => q.groups.join("\u0000")))].sort();
  $("group").append(new Option("any", ""), ...groups.map(g => new Option(visible(g.split("\u0000").join(" / ")), g)));
} else $("group-label").hidden = true;
if (!questions.some(q => q.said.some(s => s && s.sure !== null))) $("low").closest("label").hidden = true;
if (systems.length < 2) $("agreement").parentElement.hidden = true;
$("filters").addEventListener("input", filter);
$("filters").addEventListener("submit", event => event.preventDefault());
$("previous").addEventListener("click", () => turn(-1));
$("next").addEventListener("click", () => turn(1));
$("made").textContent = `Made by scicot ${made.version}, ${made.date}, of ${systems.flatMap(s => s.files).map(visible).join(", ")}`
  + (made.questions ? `, beside the questions of ${visible(made.questions)}` : "")
  + `; ${made.settings.bins} bins, ${made.settings.resamples.toLocaleString("en")} resamples, seed ${made.settings.seed}. Everything is in this file.`;
showSystems(); showDifferences(); showConfidence(); showRationales(); showGroups(); showPlaces(); show();
