// The messages: written, added, removed, moved.

import { byId } from "./asking.js";

const list = byId("play-messages");
const template = byId("play-message");
const rows = () => [...list.children];
let changed = () => {};

export function onChange(told) {
  changed = told;
}

function named(row) {
  const role = row.querySelector("[data-role]").value;
  row.className = `play-message play-message--${role}`;
  row.querySelector("[data-answers]").hidden = role !== "tool";
  const content = row.querySelector("[data-content]");
  content.placeholder = role === "messages" ? "name of the variable" : "";
  const place = rows().indexOf(row) + 1;
  content.setAttribute("aria-label", `Text of message ${place}, ${role}`);
  row.querySelector("[data-role]").setAttribute("aria-label", `Role of message ${place}`);
  const calls = row.querySelector("[data-calls]");
  calls.hidden = role !== "assistant";
  row.querySelector("[data-hint]").textContent = row.kept.is_parts ? "parts, as JSON" : row.kept.name ?? "";
}

function renumber() {
  rows().forEach(named);
  changed();
}

export function add(message, { focus = false, after = null } = {}) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.kept = { name: message.name, is_parts: message.is_parts, extra: message.extra };
  const role = row.querySelector("[data-role]");
  if (![...role.options].some((one) => one.value === message.role)) role.add(new Option(message.role, message.role));
  role.value = message.role;
  row.querySelector("[data-content]").value = message.content ?? "";
  row.querySelector("[data-answers]").value = message.tool_call_id ?? "";
  row.querySelector("[data-tool-calls]").value = message.tool_calls ?? "";
  row.querySelector("[data-calls]").open = Boolean(message.tool_calls);
  if (after) after.after(row);
  else list.append(row);
  renumber();
  if (focus) row.querySelector("[data-content]").focus();
  return row;
}

export function addNext() {
  const last = rows().at(-1)?.querySelector("[data-role]").value;
  add({ role: last === "user" ? "assistant" : "user", content: "" }, { focus: true });
}

export function fill(messages) {
  list.replaceChildren();
  messages.forEach((one) => add(one));
}

export function collect() {
  return rows().map((row) => ({
    ...row.kept,
    role: row.querySelector("[data-role]").value,
    content: row.querySelector("[data-content]").value,
    tool_call_id: row.querySelector("[data-role]").value === "tool" ? row.querySelector("[data-answers]").value : "",
    tool_calls: row.querySelector("[data-role]").value === "assistant" ? row.querySelector("[data-tool-calls]").value : "",
  }));
}

// The last message, when nothing is written in it yet.
export function emptyLast() {
  const row = rows().at(-1);
  return row && !row.querySelector("[data-content]").value.trim() && !row.querySelector("[data-tool-calls]").value.trim() ? row : null;
}

export function errorOf(place, inner) {
  const row = rows()[place];
  if (!row) return { sentence: byId("error-messages"), control: null };
  if (inner === "tool_calls") return { sentence: row.querySelector("[data-calls-error]"), control: row.querySelector("[data-tool-calls]") };
  return { sentence: row.querySelector("[data-error]"), control: row.querySelector("[data-content]") };
}

function move(row, by) {
  const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return;
  if (by < 0) other.before(row);
  else other.after(row);
  renumber();
}

function remove(row) {
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  renumber();
  (next?.querySelector("[data-content]") ?? byId("play-add-message")).focus();
}

list.addEventListener("click", (event) => {
  const row = event.target.closest(".play-message");
  const button = event.target.closest("button");
  if (!button) return;
  if ("up" in button.dataset) { move(row, -1); button.focus(); }
  if ("down" in button.dataset) { move(row, 1); button.focus(); }
  if ("remove" in button.dataset) remove(row);
});

list.addEventListener("keydown", (event) => {
  if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
  event.preventDefault();
  const focused = document.activeElement;
  move(event.target.closest(".play-message"), event.key === "ArrowUp" ? -1 : 1);
  focused.focus();
});

list.addEventListener("input", () => changed());
list.addEventListener("change", (event) => {
  if (event.target.matches("[data-role]")) renumber();
});
byId("play-add-message").addEventListener("click", addNext);
