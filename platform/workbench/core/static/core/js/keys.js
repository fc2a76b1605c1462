// The keyboard. A key presses a visible button or link that carries it, so whatever a key does has
// a place on the page: `data-key="a"` for one key, `data-chord="g l"` for two. Rows (`[data-row]`)
// are one tab stop and are walked with j and k.

import { showHelp } from "./help.js";

const CHORD_MS = 1200;
let prefix = "";
let prefixTimer = 0;
let followTimer = 0;

const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.checkVisibility());
const current = () => document.querySelector("[data-row].is-current");
const usable = (found) => found.checkVisibility() && !found.disabled && found.getAttribute("aria-disabled") !== "true";

function nameOf(event) {
  if (event.shiftKey && /^[A-Z]$/.test(event.key)) return `shift+${event.key.toLowerCase()}`;
  return event.key;
}

function isTyping(target) {
  return target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=submit])");
}

function press(found) {
  found.classList.add("is-pressed");
  setTimeout(() => found.classList.remove("is-pressed"), 140);
  if (found.matches("input, textarea, select")) found.focus();
  else found.click();
}

// The nearest bearer of a key: in the current row, then in the inspector, then on the page.
function bearer(attribute, name) {
  const selector = `[${attribute}="${CSS.escape(name)}"], [${attribute}-also="${CSS.escape(name)}"]`;
  for (const scope of [current(), document.getElementById("inspector"), document.body]) {
    const found = [...(scope?.querySelectorAll(selector) ?? [])].find(
      (one) => usable(one) && (scope !== document.body || !one.closest("[data-row]")),
    );
    if (found) return found;
  }
  return null;
}

function moveTo(row) {
  if (!row) return;
  for (const other of document.querySelectorAll("[data-row][tabindex='0'], [data-row].is-current")) {
    other.tabIndex = -1;
    other.classList.remove("is-current");
  }
  row.tabIndex = 0;
  row.classList.add("is-current");
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  if (document.querySelector("#inspector > *")) { // the inspector follows
    clearTimeout(followTimer);
    followTimer = setTimeout(() => open(row), 120);
  }
}

function step(by) {
  const all = rows();
  const at = all.indexOf(current());
  moveTo(all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))]);
}

function open(row) {
  const link = row?.querySelector("[data-open]") ?? row?.querySelector("a[href]");
  if (!link) return;
  if (link.hasAttribute("hx-get")) {
    document.querySelectorAll("[data-row].is-open").forEach((one) => one.classList.remove("is-open"));
    row.classList.add("is-open");
  }
  link.click();
}

function toggle(row, range) {
  row?.dispatchEvent(new CustomEvent("row:toggle", { bubbles: true, detail: { range } }));
}

function escape() {
  const menu = document.querySelector("details[data-menu][open]");
  if (menu) { menu.open = false; return; }
  const close = document.querySelector("#inspector [data-close-inspector]");
  if (close) { close.click(); return; }
  document.querySelector("[data-selection-bar]:not([hidden]) [data-select-none]")?.click();
}

const ACTIONS = {
  j: () => step(1), k: () => step(-1), ArrowDown: () => current() && step(1), ArrowUp: () => current() && step(-1),
  o: () => open(current()), Enter: () => open(current()),
  x: () => toggle(current(), false), "shift+x": () => toggle(current(), true),
  "/": () => { const field = document.querySelector("[data-query]"); field?.focus(); field?.select(); },
  f: () => document.querySelector("#facets a, #facets summary")?.focus(),
  "?": showHelp, Escape: escape,
};

function startChord(name) {
  const begins = `[data-chord^="${CSS.escape(name)} "], [data-key^="${CSS.escape(name)} "]`;
  if (!document.querySelector(begins)) return false;
  prefix = name;
  document.body.classList.add("chording");
  clearTimeout(prefixTimer);
  prefixTimer = setTimeout(endChord, CHORD_MS);
  return true;
}

function endChord() {
  prefix = "";
  document.body.classList.remove("chording");
}

function find(name) {
  if (!prefix) return bearer("data-key", name);
  const both = `${prefix} ${name}`;
  endChord();
  return bearer("data-chord", both) ?? document.querySelector(`[data-chord="${both}"]`) ?? bearer("data-key", both);
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  if (isTyping(event.target)) { if (event.key === "Escape") event.target.blur(); return; }
  const name = nameOf(event);
  const onControl = event.target.closest("a, button, summary, input");
  if (onControl && ["Enter", " ", "ArrowDown", "ArrowUp"].includes(name)) return;
  const chorded = Boolean(prefix);
  const found = find(name);
  if (found) press(found);
  else if (chorded) return;
  else if (!startChord(name)) {
    if (!ACTIONS[name]) return;
    if (["ArrowDown", "ArrowUp", "Enter"].includes(name) && !current()) return;
    ACTIONS[name]();
  }
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-open-help]")) showHelp();
  const row = event.target.closest("[data-row]");
  if (!row) return;
  const link = event.target.closest("[data-open]");
  if (!link && (event.target.closest("a, button, input, label, summary") || getSelection().toString())) return;
  if (!event.isTrusted) return;
  moveTo(row);
  clearTimeout(followTimer);
  if (link) row.classList.toggle("is-open", link.hasAttribute("hx-get"));
  else open(row);
});

function settle() {
  const all = document.querySelectorAll("[data-row]");
  all.forEach((row) => { if (!row.hasAttribute("tabindex")) row.tabIndex = -1; });
  if (all.length && !document.querySelector("[data-row][tabindex='0']")) all[0].tabIndex = 0;
  document.querySelectorAll("[data-key]:not([aria-keyshortcuts])").forEach((one) => one.setAttribute("aria-keyshortcuts", one.dataset.key));
}

document.addEventListener("focusin", (event) => {
  if (event.target.matches("[data-row]:not(.is-current)")) moveTo(event.target);
});
document.addEventListener("htmx:load", settle);
settle();
