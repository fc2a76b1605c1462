// What was tried is kept, shared, made a version, an example, a correction.

import { ask, byId, root, toast } from "./asking.js";

let whole = () => ({});
let chosen = null;
let saving = null; // one at a time, so that a slow one does not overtake the next

export function begin(state) {
  whole = state;
}

export function address(kept) {
  root.dataset.trial = kept.id;
  history.replaceState(null, "", kept.url);
}

export async function keep() {
  await saving;
  saving = ask("save", { id: root.dataset.trial, state: whole() }).then(
    (kept) => { address(kept); return kept; },
    (problem) => { toast(`It could not be kept: ${problem.message}`, "error"); return null; },
  );
  return saving;
}

async function share() {
  const kept = await keep();
  if (!kept) return;
  const link = new URL(kept.url, location.href).href;
  try {
    await navigator.clipboard.writeText(link);
    toast("The link is copied. It opens for the members of this project.", "success");
  } catch {
    toast(`Copy the address of this page: ${link}`);
  }
}

// A dialog's button: what it sends, and what follows.
function wire(name, body, done = () => {}) {
  const dialog = byId(`play-${name}`);
  if (!dialog) return;
  const error = dialog.querySelector("[data-error]");
  const button = dialog.querySelector("[data-save]");
  const save = async () => {
    error.hidden = true;
    button.disabled = true;
    try {
      const told = await ask(name, body());
      dialog.close();
      toast(told.message, "success");
      done(told);
    } catch (problem) {
      error.textContent = (problem.problems ?? []).map((one) => one.sentence).join(" ") || problem.message;
      error.hidden = false;
    }
    button.disabled = false;
  };
  button.addEventListener("click", save);
  dialog.addEventListener("keydown", (event) => {
    const saves = event.key === "Enter" && (event.ctrlKey || event.metaKey || event.target.matches("input"));
    if (!saves) return;
    event.preventDefault();
    event.stopPropagation();
    if (!button.disabled) save();
  });
}

function open(name, result) {
  chosen = result;
  const dialog = byId(`play-${name}`);
  dialog.querySelector("[data-answer]").value = result.text;
  dialog.querySelector("[data-error]").hidden = true;
  dialog.showModal();
  dialog.querySelector("select, textarea").focus();
}

// The answer as somebody rewrote it, or nothing where it is as it was.
function rewritten(id) {
  const text = byId(id).value;
  return text === chosen.text ? {} : { text };
}

export const openExample = (result) => open("example", result);
export const openCorrection = (result) => open("correction", result);

export function wireDialogs(origin, moved) {
  byId("play-share")?.addEventListener("click", share);
  wire("version", () => ({
    state: whole(),
    name: byId("play-version-name").value.trim(),
    message: byId("play-version-message").value,
    with_model: byId("play-version-model").checked,
  }), (told) => {
    byId("play-version-message").value = "";
    moved(told.origin);
  });
  wire("example", () => ({ request: chosen.request_id, dataset: byId("play-example-dataset").value, ...rewritten("play-example-text") }));
  wire("correction", () => ({
    request: chosen.request_id,
    corrected: origin().request,
    note: byId("play-correction-note").value,
    ...rewritten("play-correction-text"),
  }));
}

// What was typed and not run yet survives a reload of the page, in this tab.
const draftKey = () => `playground ${location.pathname}${location.search}`;

export function keepDraft() {
  try {
    sessionStorage.setItem(draftKey(), JSON.stringify(whole()));
  } catch {
    sessionStorage.removeItem(draftKey()); // too large for the browser
  }
}

export function draft() {
  const isReload = performance.getEntriesByType("navigation")[0]?.type === "reload";
  try {
    return isReload ? JSON.parse(sessionStorage.getItem(draftKey())) : null;
  } catch {
    return null;
  }
}

