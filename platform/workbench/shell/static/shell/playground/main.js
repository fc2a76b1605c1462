// The playground: one state of messages and settings, up to four models that answer side by side.

import { ask, byId, root, say } from "./asking.js";
import * as columns from "./columns.js";
import * as messages from "./messages.js";
import * as problems from "./problems.js";
import * as saving from "./saving.js";
import * as variables from "./variables.js";

const mayRun = root.dataset.role !== "viewer";
const TEXTS = { prompt: "play-prompt", few_shot: "play-few", tools: "play-tools", schema: "play-schema", more: "play-more" };
const parameters = () => [...document.querySelectorAll("[data-parameter]")];
let kept = {}; // what no field shows: descriptions of variables, where it came from
let running = null;

function fill(state) {
  kept = { described: state.described ?? [], format_name: state.format_name ?? {}, origin: state.origin ?? {} };
  for (const [name, id] of Object.entries(TEXTS)) byId(id).value = state[name] ?? "";
  byId("play-syntax").value = state.syntax ?? "mustache";
  byId("play-format").value = state.format ?? "text";
  for (const one of parameters()) one.value = state.parameters?.[one.dataset.parameter] ?? "";
  messages.fill(state.messages ?? []);
  variables.fill(state.variables ?? []);
  variables.choose(kept.origin);
  variables.expect(kept.origin.expected);
  columns.fill(state.columns ?? []);
  byId("play-tools-part").open = Boolean(state.tools);
  byId("play-few-part").open = Boolean(state.few_shot);
  byId("play-more-part").open = Boolean(state.more || state.parameters?.stop);
  setMode(state.mode === "raw" ? "raw" : "chat");
}

function collect() {
  const texts = Object.fromEntries(Object.entries(TEXTS).map(([name, id]) => [name, byId(id).value]));
  const { row, ...origin } = kept.origin;
  return {
    ...kept,
    ...texts,
    mode: root.dataset.mode,
    syntax: byId("play-syntax").value,
    format: byId("play-format").value,
    parameters: Object.fromEntries(parameters().map((one) => [one.dataset.parameter, one.value])),
    messages: messages.collect(),
    variables: variables.collect(),
    columns: columns.collect(),
    origin: { ...origin, ...variables.origin(), expected: byId("play-expected-text").textContent },
  };
}

function setMode(mode) {
  root.dataset.mode = mode;
  byId("play-chat").hidden = mode === "raw";
  byId("play-raw").hidden = mode !== "raw";
  document.querySelectorAll("[data-chat-only]").forEach((one) => { one.hidden = mode === "raw"; });
  document.querySelectorAll(".button[data-mode]").forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.mode === mode)));
  const showRaw = byId("play-show-raw");
  if (showRaw) showRaw.hidden = mode === "raw";
  showSchema();
  variables.checkNow();
}

function showSchema() {
  const format = byId("play-format").value;
  byId("play-schema-field").hidden = root.dataset.mode === "raw" || !["json_schema", "check"].includes(format);
}

function schemaWanted() {
  const format = byId("play-format").value;
  if (root.dataset.mode === "raw" || format === "text") return { wanted: false, schema: "" };
  return { wanted: true, schema: format === "json_object" ? "" : byId("play-schema").value };
}

function begin(controller) {
  running = controller;
  byId("play-run").disabled = Boolean(controller);
  byId("play-stop").hidden = !controller;
}

function summary(chosen) {
  const failed = chosen.filter((one) => one.result?.error).length;
  const stopped = chosen.filter((one) => one.result?.is_stopped).length;
  if (stopped) return "Stopped.";
  return failed ? `${failed} of ${chosen.length} failed; what to do stands with ${failed > 1 ? "them" : "it"}.` : "Done. Every call is in the log.";
}

// Answers that would arrive below what can be seen are brought up.
function bringIntoView(column) {
  if (column && column.getBoundingClientRect().top > innerHeight * 0.6) column.scrollIntoView({ block: "start" });
}

// First everything is checked and kept; then each column goes its own way.
async function run(chosen = columns.all()) {
  if (running || !mayRun) return;
  problems.clear();
  begin(new AbortController());
  say("Running…");
  try {
    const everyone = columns.all();
    const plan = await ask("run", { id: root.dataset.trial, state: collect() }, running.signal);
    saving.address(plan);
    const how = { signal: running.signal, ...schemaWanted() };
    bringIntoView(chosen[0]);
    await Promise.all(chosen.map((one) => columns.run(one, plan, everyone.indexOf(one), how)));
    say(summary(chosen));
    await saving.keep();
  } catch (problem) {
    if (problem.name === "AbortError") say("Stopped.");
    else {
      await variables.checkNow({ isQuiet: true }); // fields of what was typed a moment ago
      problems.refused(problem);
    }
  }
  begin(null);
}

// The answer becomes part of the conversation, and the next thing to say is written below it.
function goOn(result) {
  messages.emptyLast()?.remove();
  const calls = result.tool_calls ?? [];
  if (root.dataset.mode === "raw") {
    byId("play-prompt").value += result.text;
    byId("play-prompt").focus();
    return;
  }
  const said = { role: "assistant", content: result.text };
  messages.add(calls.length ? { ...said, tool_calls: JSON.stringify(calls, null, 2) } : said);
  const rows = calls.length ? calls.map((call) => ({ role: "tool", content: "", tool_call_id: call.id })) : [{ role: "user", content: "" }];
  const added = rows.map((one) => messages.add(one));
  added[0].querySelector("[data-content]").focus();
}

async function showRaw() {
  problems.clear();
  say("Asking the model's engine…");
  try {
    const { prompt } = await ask("raw", { state: collect() });
    byId("play-prompt").value = prompt;
    byId("play-syntax").value = "plain"; // the values are in it already
    setMode("raw");
    say("This is what the model reads. Run it: the answer is the chat's.");
  } catch (problem) {
    problems.refused(problem);
    if (!problem.problems?.length) say(problem.message);
  }
}

function wire() {
  messages.onChange(variables.checkSoon);
  variables.begin({ state: collect, problems: (found) => { if (!running) problems.show(found, { focus: false }); } });
  saving.begin(collect);
  saving.wireDialogs(() => kept.origin, (origin) => { kept.origin = { ...kept.origin, ...origin }; });
  columns.on({
    again: (column) => run([column]),
    go: goOn,
    example: saving.openExample,
    correction: saving.openCorrection,
    canCorrect: () => Boolean(kept.origin.request),
  });
  byId("play-run").addEventListener("click", () => run());
  byId("play-stop").addEventListener("click", () => running?.abort());
  byId("play-add-column").addEventListener("click", () => columns.add({ model: columns.collect().at(-1)?.model }, { focus: true }));
  byId("play-previous").addEventListener("click", () => columns.step(-1));
  byId("play-next").addEventListener("click", () => columns.step(1));
  byId("play-show-raw")?.addEventListener("click", showRaw);
  byId("play-syntax").addEventListener("change", () => variables.checkNow());
  byId("play-prompt").addEventListener("input", variables.checkSoon);
  byId("play-format").addEventListener("change", showSchema);
  document.querySelectorAll(".button[data-mode]").forEach((one) => one.addEventListener("click", () => setMode(one.dataset.mode)));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    run();
  });
  addEventListener("pagehide", saving.keepDraft);
}

wire();
const draft = saving.draft();
fill(draft ?? JSON.parse(byId("play-state").textContent));
if (draft) say("As you left it.");
root.dataset.ready = "";
