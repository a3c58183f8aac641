// How the systems were made: their files, students, settings and data, and the prompts that students read.
const bytes = count => count < 1e6 ? `${Math.max(1, Math.round(count / 1e3)).toLocaleString("en")} kB` : `${(count / 1e6).toFixed(1)} MB`;
const plainly = value => value === null || value === undefined || value === "" ? "" : typeof value === "number" ? value.toLocaleString("en", {maximumSignificantDigits: 6})
  : typeof value === "string" ? value : JSON.stringify(value);

function usageText(usage) {
  return Object.entries(usage).map(([kind, count]) => kind === "cost_usd" ? `$${count.toFixed(4)}` : `${count.toLocaleString("en")} ${kind.replaceAll("_", " ")}`).join(", ");
}
function facts(pairs) {
  return element("dl", {class: "facts"}, ...pairs.filter(([, value]) => plainly(value) !== "").flatMap(([name, value]) =>
    [element("dt", {}, visible(name)), element("dd", {}, visible(plainly(value)))]));
}
function folded(title, pairs) {
  const own = pairs.filter(([, value]) => plainly(value) !== "" && plainly(value) !== "[]");
  return own.length ? [element("details", {}, element("summary", {}, title), facts(own))] : [];
}
function studentFacts(student) {
  const {metrics, settings} = student;
  return element("div", {class: "student"}, element("h4", {}, `Student ${visible(String(student.run))}`), facts([
    ["model", student.student], ["stage", student.stage], ["prompt format", student.prompt_format], ["weights", metrics.weights],
    ["training rows", metrics.rows], ["dev rows", metrics.dev_rows || ""], ["steps", metrics.steps], ["training tokens", metrics.training_tokens],
    ["training time", metrics.train_seconds === undefined ? "" : `${plainly(metrics.train_seconds)} s`],
    ["training data", (student.data || []).map(d => d.file).join(", ")]]),
    ...folded("training settings", Object.entries(settings)));
}
function showProvenance() {
  systems.forEach((s, n) => {
    const own = made.systems[n];
    const [file] = own.files, usage = usageText(own.usage), settings = file.settings || {};
    $("provenance").append(element("div", {class: "system"}, element("h3", {}, visible(s.name)), facts([
      ["files", own.files.map(f => `${f.file} (${bytes(f.bytes)})`).join(", ")], ["questions judged", s.questions],
      ["made by", file.command ? `scicot ${file.command}` : ""], ["asked", (file.inputs || []).join(", ")], ["teacher", settings.teacher],
      ["rationales from", s.rationale_from], ["used", usage && `${usage}, by the replies of the first file`]]),
      ...folded(`settings of scicot ${file.command}`, Object.entries(settings)),
      ...folded("rows by outcome", Object.entries(file.counts || {})),
      ...own.students.map(studentFacts)));
  });
  const {by: fields, ...others} = made.settings;
  $("provenance").append(element("div", {class: "system"}, element("h3", {}, "This evaluation"),
    facts([["questions", made.questions], ["broken down by", fields.join(", ")], ...Object.entries(others).map(([name, value]) => [name.replaceAll("_", " "), value])])));
}

// A prompt with the parts of a question; a part that is empty goes with the words before it. Space is folded as for the student.
const oneLine = text => text.split(/\s+/).filter(Boolean).join(" ");
function promptText(template, parts) {
  const pieces = template.split(/\ue000(\w+)\ue001/);
  let text = "";
  for (let n = 0; n + 1 < pieces.length; n += 2) if (parts[pieces[n + 1]]) text += pieces[n] + parts[pieces[n + 1]];
  return (text + pieces.at(-1)).trim();
}
function promptsOf(q, n) {
  const said = q.said[n], lines = made.systems[n].prompts;
  return lines.flatMap(prompt => {
    const choices = q.choices.map(([label, text]) => oneLine(`(${label}) ${text}`)).join(prompt.text.includes("\n") ? "\n" : " ");
    const read = prompt.reads ? [...new Set(said.rationales)] : [""];
    return (read.length ? read : [""]).map(rationale => ({...prompt, shown: promptText(prompt.text, {
      question: oneLine(q.text), choices, context: oneLine(q.context), rationale: prompt.reads ? oneLine(rationale) : ""})}));
  });
}
