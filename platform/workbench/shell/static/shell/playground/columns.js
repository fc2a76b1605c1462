// The models side by side: each column runs on its own and keeps its answer whatever the others do.

import { addresses, ask, byId, made, root, stream } from "./asking.js";
import { Answer, CUT } from "./answer.js";
import { list as problemList } from "./problems.js";

const MOST = 4;
const box = byId("play-columns");
const template = byId("play-column");
let listeners = { again: () => {}, go: () => {}, example: () => {}, correction: () => {} };

export const all = () => [...box.children];
const part = (column, name) => column.querySelector(`[data-${name}]`);

export function on(told) {
  listeners = { ...listeners, ...told };
}

function arrange() {
  const columns = all();
  root.dataset.columns = columns.length;
  byId("play-steps").hidden = columns.length < 2;
  byId("play-add-column").disabled = columns.length >= MOST;
  columns.forEach((column, place) => {
    column.setAttribute("aria-label", `Answer ${place + 1}`);
    part(column, "model").setAttribute("aria-label", `Model of answer ${place + 1}`);
    part(column, "own").setAttribute("aria-label", `Parameters of model ${place + 1} alone, JSON`);
    part(column, "remove").hidden = columns.length < 2;
  });
}

export function add({ model = "", own = "", result = null } = {}, { focus = false } = {}) {
  if (all().length >= MOST) return null;
  const column = template.content.firstElementChild.cloneNode(true);
  part(column, "model").value = model;
  part(column, "own").value = own;
  column.querySelector(".play-own").open = Boolean(own);
  box.append(column);
  arrange();
  if (result) show(column, result);
  if (focus) part(column, "model").focus();
  return column;
}

export function fill(columns) {
  box.replaceChildren();
  columns.slice(0, MOST).forEach((one) => add(one));
  if (!all().length) add();
}

export function collect() {
  return all().map((column) => ({ model: part(column, "model").value.trim(), own: part(column, "own").value, result: column.result ?? null }));
}

export function errorOf(place, inner) {
  const column = all()[place] ?? all()[0];
  return { sentence: part(column, "field-error"), control: part(column, inner === "own" ? "own" : "model") };
}

export function step(by) {
  const columns = all();
  const at = columns.findIndex((one) => one.contains(document.activeElement));
  const next = columns[at < 0 ? (by > 0 ? 0 : columns.length - 1) : (at + by + columns.length) % columns.length];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function blank(column) {
  column.result = null;
  for (const name of ["idle", "error", "verdict", "cut", "foot", "reasoning"]) part(column, name).hidden = true;
  part(column, "reasoning").querySelector("pre").textContent = "";
  part(column, "text").textContent = "";
  part(column, "tool-calls").replaceChildren();
  part(column, "facts").replaceChildren();
}

function showPiece(column, name, text) {
  const target = name === "text" ? part(column, "text") : part(column, "reasoning").querySelector("pre");
  if (name === "reasoning") part(column, "reasoning").hidden = false;
  target.append(text);
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

function showCalls(column, calls) {
  part(column, "tool-calls").replaceChildren(...calls.map((call) => {
    const details = made("details", "tool-call");
    details.open = true;
    details.append(made("summary", "", call.function.name), made("pre", "", pretty(call.function.arguments)));
    return details;
  }));
}

function showError(column, error) {
  const said = error.status >= 400 ? `Status ${error.status}${error.code ? `, ${error.code}` : ""}` : "No answer";
  part(column, "error-head").textContent = said;
  part(column, "error-text").textContent = error.text;
  part(column, "remedy").textContent = error.remedy;
  part(column, "error").hidden = false;
}

export function showVerdict(column, verdict) {
  const place = part(column, "verdict");
  place.replaceChildren();
  place.hidden = !verdict;
  if (!verdict) return;
  if (verdict.pretty) part(column, "text").textContent = verdict.pretty;
  const good = verdict.is_json && !verdict.problems.length;
  const words = verdict.message ?? (!verdict.is_json ? "The answer is no JSON." : !verdict.checked ? "JSON" : good ? "Fits the schema" : "Does not fit the schema");
  const badge = made("span", `badge badge--${verdict.message || !verdict.is_json ? "warn" : good ? "good" : "bad"}`, words);
  const line = made("p", "");
  line.append(badge);
  place.append(line);
  if (verdict.problems?.length) place.append(problemList(verdict.problems));
}

// Everything of a finished answer; also of one that was kept.
export function show(column, result) {
  blank(column);
  column.result = result;
  if (result.reasoning) showPiece(column, "reasoning", result.reasoning);
  part(column, "text").textContent = result.text;
  showCalls(column, result.tool_calls ?? []);
  if (result.error) showError(column, result.error);
  part(column, "cut").textContent = CUT;
  part(column, "cut").hidden = !result.is_cut;
  const isEmpty = !result.text && !result.tool_calls?.length && !result.error;
  part(column, "idle").textContent = result.is_stopped ? "Stopped." : "The answer is empty.";
  part(column, "idle").hidden = !(isEmpty || result.is_stopped);
  part(column, "facts").replaceChildren(...(result.facts ?? []).map(([name, text]) => Object.assign(made("span", "", text), { title: name })));
  showVerdict(column, result.verdict ?? null);
  showFoot(column, result);
}

function showFoot(column, result) {
  const answered = Boolean(result.text || result.tool_calls?.length);
  const isWhole = answered && result.request_id && !result.is_stopped && !result.error;
  part(column, "foot").hidden = !answered && !result.request_id;
  part(column, "continue").hidden = !answered;
  if (part(column, "example")) part(column, "example").hidden = !isWhole;
  if (part(column, "correction")) part(column, "correction").hidden = !isWhole || !listeners.canCorrect?.();
  part(column, "logged").hidden = !result.request_id;
  part(column, "logged").href = `${addresses.log}${result.request_id}/`;
}

async function verdictOf(result, schema, wanted) {
  if (!result.text || result.error || result.is_cut || !(wanted || /^\s*[[{]/.test(result.text))) return null;
  try {
    const found = await ask("verdict", { text: result.text, schema });
    return found.is_json || wanted ? found : null;
  } catch (problem) {
    return { is_json: true, problems: [], message: problem.message };
  }
}

// Runs one column to its end; never throws.
export async function run(column, plan, place, { signal, schema, wanted }) {
  blank(column);
  const body = part(column, "text").parentElement;
  const answer = new Answer((name, text) => showPiece(column, name, text));
  column.classList.add("is-running");
  body.setAttribute("aria-busy", "true");
  try {
    const sent = { model: part(column, "model").value.trim(), body: { ...plan.body, ...plan.own[place] }, raw: plan.raw, labels: plan.labels };
    for await (const said of stream("complete", sent, signal)) answer.take(said);
  } catch (problem) {
    if (problem.name === "AbortError") answer.result.is_stopped = true;
    else if (!answer.result.error) answer.fail(problem.message);
  }
  const result = answer.finish();
  column.classList.remove("is-running");
  body.setAttribute("aria-busy", "false");
  result.verdict = result.is_stopped ? null : await verdictOf(result, schema, wanted);
  show(column, result);
}

box.addEventListener("click", (event) => {
  const column = event.target.closest(".play-column");
  const button = event.target.closest("button");
  if (!button) return;
  if ("remove" in button.dataset) { column.remove(); arrange(); listeners.changed?.(); all()[0]?.focus({ preventScroll: true }); }
  if ("again" in button.dataset) listeners.again(column);
  if ("continue" in button.dataset) listeners.go(column.result);
  if ("example" in button.dataset) listeners.example(column.result);
  if ("correction" in button.dataset) listeners.correction(column.result);
});
