function showSystems() {
  const level = `${+(100 * verdict.level).toFixed(4)} % interval`;
  const work = systems.filter(s => s.cost).map(s => s.cost.work), least = Math.min(...work);
  const price = s => !work.length ? [] : s.cost ? [s.cost.weights.toLocaleString("en"), `${fixed(s.cost.work / least, 1)} x`] : ["", ""];
  table($("systems"), ["system", "questions", "answered", "accuracy", level, "among answered", ...(work.length ? ["weights", "cost"] : [])], [
    ...systems.map(s => [visible(s.name) + (s.oracle ? " *" : ""), s.questions.toLocaleString("en"), s.answered.toLocaleString("en"),
      percent(s.accuracy), `${percent(s.interval[0])} \u2013 ${percent(s.interval[1])}`, percent(s.accuracy_answered), ...price(s)])], [
    ["chance", "", "", [...new Set(systems.map(s => percent(s.chance)))].join(" / "), "", "", ...(work.length ? ["", ""] : [])]]);
  const notes = [];
  if (systems.some(s => s.oracle)) notes.push("* an upper bound: it read rationales from the input file, or saw the answer.");
  for (const s of systems) if (s.spread !== null)
    notes.push(`${visible(s.name)}: ${s.by_seed.length} seeds, ${s.by_seed.map(v => percent(v)).join(", ")} (sd ${fixed(100 * s.spread, 1)}); its plots, answers and rationales below are of the first.`);
  if (verdict.cluster_by) notes.push(`Intervals resample groups of the same ${visible(verdict.cluster_by)}, not single questions.`);
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
  $("differences").append(dots(comparisons.map((c, n) => ({name: c.second, points: [{value: c.difference, interval: c.interval,
    colour: n + 1, title: visible(c.sentence)}]})), scale, "differences of accuracy in points"),
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
  $("rationales-note").textContent = Object.entries(verdict.reliance).map(([answer, own]) => `${visible(answer)}, accuracy by source of the rationales: `
    + Object.entries(own).map(([source, value]) => `${source} ${percent(value)}`).join(", ") + ".").join(" ");
}
function showGroups() {
  if (!by.length) return $("groups-section").remove();
  for (const path of by) {
    const values = [...new Set(systems.flatMap(s => s.groups[path].map(g => g.value)))], most = Math.ceil(LINES / systems.length);
    const rows = values.slice(0, most).map(value => {
      const points = systems.map((s, n) => ({n, group: s.groups[path].find(g => g.value === value)})).filter(({group}) => group);
      return {name: value.trim() ? value : "(empty)", count: ` (${Math.max(...points.map(({group}) => group.questions))})`, points: points.map(({n, group}) => ({
        value: group.accuracy, interval: group.interval, colour: n,
        title: `${visible(systems[n].name)}, ${visible(value)}: ${percent(group.accuracy)} of ${group.questions}`}))};
    });
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

