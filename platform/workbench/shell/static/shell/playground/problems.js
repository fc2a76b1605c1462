// What is wrong is told at the field it is in, and the cursor put where it is.

import { byId, made, say } from "./asking.js";
import { errorOf as errorOfMessage } from "./messages.js";
import { errorOf as errorOfColumn } from "./columns.js";

// Where the sentence goes, and the control it is about.
function place(field) {
  const [part, index, inner] = field.split(".");
  if (part === "messages" && index !== undefined) return errorOfMessage(Number(index), inner);
  if (part === "columns" && index !== undefined) return errorOfColumn(Number(index), inner);
  const sentence = byId(`error-${field}`) ?? byId("error-messages");
  return { sentence, control: document.querySelector(`[aria-describedby~="${sentence.id}"]`) };
}

export function clear() {
  document.querySelectorAll(".play .field__error").forEach((one) => { one.hidden = true; one.textContent = ""; });
  document.querySelectorAll(".play [aria-invalid]").forEach((one) => one.removeAttribute("aria-invalid"));
}

function offset(text, line, column) {
  const lines = text.split("\n");
  const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  return Math.min(text.length, before + column - 1);
}

function mark(problem) {
  const { sentence, control } = place(problem.field);
  const where = problem.line ? `Line ${problem.line}, column ${problem.column}: ` : "";
  if (sentence.textContent) sentence.append(document.createElement("br"));
  sentence.append(`${where}${problem.sentence}`);
  sentence.hidden = false;
  control?.setAttribute("aria-invalid", "true");
  control?.closest("details")?.setAttribute("open", "");
  return control;
}

// The cursor goes to the first problem; it is not taken from somebody who is typing.
export function show(problems, { focus = true } = {}) {
  clear();
  const controls = problems.map(mark);
  const first = controls.find(Boolean);
  if (!focus || !first) return;
  first.focus();
  const { line, column } = problems[controls.indexOf(first)];
  if (line && first.setSelectionRange) {
    const at = offset(first.value, line, column);
    first.setSelectionRange(at, Math.min(first.value.length, at + 1));
  }
}

export function refused(problem) {
  if (problem.problems?.length) show(problem.problems);
  const many = problem.problems?.length ?? 0;
  say(many > 1 ? `Nothing was run: ${many} things to mend.` : `Nothing was run. ${problem.message}`);
}

export function list(problems) {
  const all = made("ul", "play-problems");
  for (const one of problems) all.append(made("li", "", one.path ? `${one.path}: ${one.message}` : one.message));
  return all;
}
