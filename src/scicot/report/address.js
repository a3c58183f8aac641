// Filters, order and page in the page's address, so that a link shows the same questions to somebody else.
const FIELDS = ["search", "system", "answer", "agreement", "group", "low", "high", "order"];
const initially = {};  // the values of the fields, before an address or a user sets them

function remember() {
  const told = new URLSearchParams(FIELDS.filter(id => $(id).value !== initially[id]).map(id => [id, $(id).value]));
  if (found.page) told.set("page", found.page + 1);
  if (found.only) told.set("question", found.only);
  // replaceState adds no entry to the history for each key of a search.
  history.replaceState(null, "", `#${told}`);
}
function restore() {
  const told = new URLSearchParams(location.hash.slice(1));
  for (const id of FIELDS) {
    $(id).value = told.get(id) ?? initially[id];
    if ($(id).value !== told.get(id)) $(id).value = initially[id];  // a value that a list does not have
  }
  found.only = questions.some(q => q.id === told.get("question")) ? told.get("question") : "";
  found.page = Math.max(1, parseInt(told.get("page")) || 1) - 1;
  update();
  if (told.size) $("h-questions").scrollIntoView();
}
function reset() {
  for (const id of FIELDS) $(id).value = initially[id];
  filter();
}

// The found questions as a table. Text that a spreadsheet would take for a formula begins with an apostrophe.
function csv() {
  const cell = value => {
    const text = value === null || value === undefined ? "" : String(value);
    return `"${(typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? "'" + text : text).replaceAll('"', '""')}"`;
  };
  const head = ["id", "question", "choices", "gold", ...by.length ? ["group"] : [],
    ...systems.flatMap(s => ["prediction", "right", "confidence", "rationales"].map(name => `${s.name}: ${name}`))];
  const rows = found.list.map(q => [q.id, q.text, q.choices.map(([label, text]) => `(${label}) ${text}`).join(" "), q.choices[q.gold][0],
    ...by.length ? [q.groups.join(" / ")] : [],
    ...q.said.flatMap((own, n) => own === null ? ["", "", "", ""]
      : [own.place === null ? "" : q.choices[own.place][0], right(q, n), own.sure, own.rationales.join("\n")])]);
  return [head, ...rows].map(row => row.map(cell).join(",")).join("\r\n") + "\r\n";
}
function download() {
  const address = URL.createObjectURL(new Blob(["\ufeff", csv()], {type: "text/csv"}));
  element("a", {href: address, download: "questions.csv"}).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// One key does one thing, unless it is typed into a field or pressed with Ctrl, Alt or Meta.
const KEYS = {
  "/": () => { $("search").focus(); $("search").select(); },
  j: () => step(1), k: () => step(-1), n: () => $("next").click(), p: () => $("previous").click(), r: reset, c: download,
};
function step(by) {
  const cards = [...$("list").children], at = cards.findIndex(own => own.contains(document.activeElement));
  const next = cards[at < 0 ? 0 : at + by];
  if (next) { next.focus(); next.scrollIntoView({block: "nearest"}); }
}
function pressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) { if (event.key === "Escape") event.target.blur(); return; }
  if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
}

// Paper has no pages of cards to turn and nothing to unfold: the found questions are printed whole. Prompts stay folded, since they
// repeat the question and the rationale.
const PRINTED = 500;
function beforePrint() {
  $("list").replaceChildren(...found.list.slice(0, PRINTED).map(card));
  if (found.list.length > PRINTED) $("found").textContent += `; the first ${PRINTED} are printed`;
  for (const own of document.querySelectorAll("details:not(.prompts)")) own.open = true;
}
function afterPrint() {
  for (const own of document.querySelectorAll("#provenance details")) own.open = false;
  show();
}
