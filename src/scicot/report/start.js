systems.forEach((s, n) => $("system").append(new Option(visible(s.name), n)));
if (questions.some(q => q.groups.length)) {
  const groups = [...new Set(questions.map(q => q.groups.join("\u0000")))].sort();
  $("group").append(new Option("any", ""), ...groups.map(g => new Option(visible(g.split("\u0000").join(" / ")), g)));
} else {
  $("group").append(new Option("any", ""));
  $("group-label").hidden = true;
}
if (!questions.some(q => q.said.some(s => s && s.sure !== null))) {
  $("low").closest("label").hidden = true;
  for (const value of ["sure", "unsure"]) $("order").querySelector(`[value=${value}]`).remove();
}
if (systems.length < 2) {
  $("system").parentElement.hidden = true;
  $("agreement").parentElement.hidden = true;
}
for (const id of FIELDS) initially[id] = $(id).value;
$("filters").addEventListener("input", filter);
$("filters").addEventListener("submit", event => event.preventDefault());
$("reset").addEventListener("click", reset);
$("csv").addEventListener("click", download);
$("previous").addEventListener("click", () => turn(-1));
$("next").addEventListener("click", () => turn(1));
addEventListener("keydown", pressed);
addEventListener("hashchange", restore);
addEventListener("beforeprint", beforePrint);
addEventListener("afterprint", afterPrint);
$("made").textContent = `Made by scicot ${made.version}, ${made.date}. Everything is in this file.`;
showSystems();
showDifferences();
showConfidence();
showRationales();
showGroups();
showPlaces();
showProvenance();
restore();
