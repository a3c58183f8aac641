// The browser of questions: filters, order, one card for each question, and pages of cards.
const found = {list: questions, page: 0, only: ""};  // only: the id of the one question that a link names
const words = questions.map(q => [q.id, q.text, q.context, ...q.choices.map(c => c[1]),
  ...q.said.flatMap(s => s ? [...s.rationales, s.reply || ""] : [])].join("\n").toLowerCase());
const right = (q, n) => q.said[n] !== null && q.said[n].place === q.gold;

function matching() {
  const query = $("search").value.toLowerCase().split(/\s+/).filter(Boolean), n = +$("system").value;
  const answer = $("answer").value, agreement = $("agreement").value, group = $("group").value;
  const low = +$("low").value / 100, high = +$("high").value / 100, any = low <= 0 && high >= 1;
  if (found.only) return questions.filter(q => q.id === found.only);
  return questions.filter((q, place) => {
    const own = q.said[n];
    if (query.some(word => !words[place].includes(word))) return false;
    if (answer && (own === null || (answer === "none" ? own.place !== null
      : own.place === null && answer === "right" || right(q, n) !== (answer === "right")))) return false;
    if (!any && (own === null || own.sure === null || own.sure < low || own.sure > high)) return false;
    if (group && q.groups.join("\u0000") !== group) return false;
    if (agreement) {
      const count = q.said.filter((_, other) => right(q, other)).length;
      if (agreement === "differ" ? count === 0 || count === q.said.length : count !== (agreement === "all" ? q.said.length : 0)) return false;
    }
    return true;
  });
}
// Questions without a confidence come last in both orders of it.
const ORDERS = {
  sure: n => (a, b) => sureness(b, n, -1) - sureness(a, n, -1),
  unsure: n => (a, b) => sureness(a, n, 2) - sureness(b, n, 2),
  id: () => (a, b) => a.id.localeCompare(b.id, "en", {numeric: true}),
  length: () => (a, b) => b.text.length - a.text.length,
};
const sureness = (q, n, without) => q.said[n] && q.said[n].sure !== null ? q.said[n].sure : without;
function ordered(list) {
  const order = ORDERS[$("order").value];
  return order ? [...list].sort(order(+$("system").value)) : list;
}

function marked(text) {
  const query = $("search").value.split(/\s+/).filter(Boolean), shown = visible(text);
  if (!query.length) return [shown];
  const pattern = new RegExp(`(${query.map(w => w.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "gi");
  return shown.split(pattern).map((part, n) => n % 2 ? element("mark", {}, part) : part);
}
const paragraph = (text, kind = "text") => element("p", {class: kind, dir: "auto"}, ...marked(text));
function details(title, open, ...children) {
  return element("details", open ? {open: ""} : {}, element("summary", {}, title), ...children);
}
function choiceTable(q) {
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
  return element("div", {class: "scroll"}, element("table", {class: "choices"}, element("tbody", {}, head, ...rows)));
}
// What a system read, wrote and used for a question. The rationales of the first system are open.
function saidBy(q, n) {
  const own = q.said[n], name = visible(systems[n].name), parts = [];
  if (own === null) return parts;
  if (own.rationales.length) parts.push(details(`${name}: ${own.rationales.length === 1 ? "rationale" : own.rationales.length + " rationales"}`, !n,
    ...own.rationales.map(text => paragraph(text))));
  if (own.reply) parts.push(details(`${name}: raw reply${own.reason ? `, rejected as ${visible(own.reason)}` : ""}`, false, paragraph(own.reply, "text raw")));
  const prompts = promptsOf(q, n);
  const heading = prompt => `${visible(String(prompt.run))} reads, for ${prompt.target === "answer" ? "an answer" : "a rationale"}`
    + (prompt.chat ? " (a user's turn of its chat template)" : "") + (prompt.most ? ` (cut where it is longer than ${prompt.most} tokens)` : "") + ":";
  if (prompts.length) {
    const shown = details(`${name}: ${prompts.length === 1 ? "prompt" : prompts.length + " prompts"}`, false,
      ...prompts.flatMap(prompt => [element("p", {class: "note"}, heading(prompt)), paragraph(prompt.shown, "text raw")]));
    shown.className = "prompts";
    parts.push(shown);
  }
  if (own.usage) parts.push(element("p", {class: "note"}, `${name}: ${usageText(own.usage)}`));
  return parts;
}
function card(q) {
  const link = element("a", {href: `#question=${encodeURIComponent(q.id)}`, class: "id", title: "link to this question"}, visible(q.id));
  return element("li", {tabindex: "-1"}, link, element("div", {class: "question", dir: "auto"}, ...marked(q.text)),
    ...(q.context ? [details("context", false, paragraph(q.context))] : []), choiceTable(q), ...q.said.flatMap((_, n) => saidBy(q, n)));
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
function update() { found.list = ordered(matching()); show(); }
function filter() { found.only = ""; found.page = 0; update(); remember(); }
function turn(by) { found.page += by; show(); remember(); $("found").scrollIntoView(); }
