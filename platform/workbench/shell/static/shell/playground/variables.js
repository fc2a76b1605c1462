// The variables that the texts need: fields, and values from a dataset's row or a logged call.

import { ask, byId, look, made } from "./asking.js";

const CHECK_MS = 350;
const fields = byId("play-fields");
const values = new Map(); // also of variables that are not needed just now
let needed = [];
let timer = 0;
let asked = 0;
let rowsAsked = 0;
let collectState = () => ({});
let told = () => {};

export function begin({ state, problems }) {
  collectState = state;
  told = problems;
}

export function fill(variables) {
  values.clear();
  for (const { name, text, is_json } of variables) values.set(name, { text, is_json });
}

export function collect() {
  const used = new Set(needed.map((one) => one.name));
  return [...values].filter(([name, one]) => used.has(name) || one.text).map(([name, one]) => ({ name, ...one }));
}

function field({ name, type }) {
  const isJson = type !== "text";
  const value = values.get(name) ?? { text: "", is_json: isJson };
  values.set(name, value);
  const row = made("div", "field play-variable");
  const head = made("div", "field__label");
  const label = made("label", "mono", name);
  const input = made("textarea", "mono");
  Object.assign(input, { id: `variable-${name}`, rows: 1, value: value.text, spellcheck: false });
  label.htmlFor = input.id;
  const json = made("label", "");
  const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: value.is_json });
  box.setAttribute("aria-label", `${name} is JSON`);
  json.append(box, "JSON");
  head.append(label, json);
  const error = made("p", "field__error");
  Object.assign(error, { id: `error-variables.${name}`, hidden: true });
  input.setAttribute("aria-describedby", error.id);
  input.addEventListener("input", () => { value.text = input.value; });
  box.addEventListener("change", () => { value.is_json = box.checked; });
  row.append(head, input, error);
  return row;
}

function draw() {
  const focused = document.activeElement?.id;
  fields.replaceChildren(...needed.map(field));
  if (focused?.startsWith("variable-")) byId(focused)?.focus();
  byId("play-variables").hidden = !needed.length;
}

async function check({ isQuiet = false } = {}) {
  const turn = ++asked;
  const found = await ask("check", { state: collectState() }).catch(() => null);
  if (!found || turn !== asked) return;
  // While something cannot be read, the fields stay as they are.
  if (!found.problems.length && JSON.stringify(found.variables) !== JSON.stringify(needed)) {
    needed = found.variables;
    draw();
  }
  if (!isQuiet) told(found.problems);
}

export function checkSoon() {
  clearTimeout(timer);
  timer = setTimeout(check, CHECK_MS);
}

// At once; quietly where what is wrong is told by somebody else.
export function checkNow(how) {
  clearTimeout(timer);
  return check(how);
}

function complain(text) {
  byId("error-values").textContent = text;
  byId("error-values").hidden = !text;
}

// Values for what is needed; what the source lacks is named and left as it was.
function take(found) {
  const given = new Map(found.variables.map((one) => [one.name, one]));
  for (const { name } of needed) {
    if (given.has(name)) values.set(name, { text: given.get(name).text, is_json: given.get(name).is_json });
  }
  const lacking = needed.map((one) => one.name).filter((name) => !given.has(name));
  complain(lacking.length ? `It has no value for: ${lacking.join(", ")}. It has: ${[...given.keys()].join(", ") || "nothing"}.` : "");
  draw();
  expect(found.expected);
}

export function expect(text) {
  byId("play-expected").hidden = !text;
  byId("play-expected-text").textContent = text ?? "";
}

// Of two rows asked for in a hurry the later one counts, whichever comes first.
async function fetchValues(query) {
  const turn = ++rowsAsked;
  try {
    const found = await look("values", query);
    if (turn !== rowsAsked) return null;
    take(found);
    return found;
  } catch (problem) {
    complain(problem.message);
    return null;
  }
}

const dataset = byId("play-dataset");
const number = byId("play-row-number");

async function fetchRow() {
  byId("play-row-steps").hidden = !dataset.value;
  if (!dataset.value) return;
  const found = await fetchValues({ dataset: dataset.value, row: number.value });
  if (!found) return;
  byId("play-row-total").textContent = `of ${found.total.toLocaleString("en")}`;
  byId("play-row-previous").disabled = found.row <= 1;
  byId("play-row-next").disabled = found.row >= found.total;
}

function step(by) {
  number.value = Math.max(1, Number(number.value || 0) + by);
  fetchRow();
}

export function origin() {
  return dataset.value ? { dataset: dataset.value, row: Number(number.value) } : {};
}

export function choose({ dataset: slug, row }) {
  if (!slug || !row || ![...dataset.options].some((one) => one.value === slug)) return;
  dataset.value = slug;
  number.value = row;
  byId("play-row-steps").hidden = false;
}

dataset.addEventListener("change", () => { number.value = 1; fetchRow(); });
number.addEventListener("change", fetchRow);
byId("play-row-previous").addEventListener("click", () => step(-1));
byId("play-row-next").addEventListener("click", () => step(1));
byId("play-fill-call").addEventListener("click", async () => {
  const id = byId("play-fill-request").value.trim().match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i)?.[0];
  if (await fetchValues({ request: id ?? byId("play-fill-request").value })) byId("play-fill-call").closest("details").open = false;
});
