// Ctrl/⌘ K: everything that can be reached or done from this page, by typing a part of its name.
// It presses the nav's links, the page's buttons and `data-palette`; what is not on the page (saved
// views, other pages, datasets, models, projects) the server tells when it is first opened.

import { cap, labelOf } from "./help.js";

const dialog = document.getElementById("palette");
const input = dialog?.querySelector("input");
const list = dialog?.querySelector("[role=listbox]");
let shown = [];
let at = 0;
let told = null;

async function ask() {
  if (told || !dialog.dataset.offers) return;
  told = [];
  try {
    const response = await fetch(dialog.dataset.offers, { headers: { Accept: "application/json" } });
    if (response.ok && !response.redirected) told = (await response.json()).offers;
  } catch {
    told = null; // no server: what is on the page can be had all the same
  }
  if (dialog.open && told) draw();
}

function offers() {
  const visible = (one) => one.checkVisibility() && !one.disabled;
  const actions = [...document.querySelectorAll(".page [data-key], .page-head__actions .button")].filter(visible);
  const unique = [...new Set(actions)].filter((one) => !one.closest("[data-row]"));
  return [
    ...unique.map((one) => ({ group: "On this page", target: one, keys: one.dataset.key })),
    ...[...document.querySelectorAll(".nav__link")].map((one) => ({ group: "Go to", target: one, keys: one.dataset.chord })),
    ...[...document.querySelectorAll("[data-palette]")].map((one) => ({ group: one.dataset.palette || "More", target: one })),
    ...(told ?? []),
    ...[...document.querySelectorAll("[data-theme-toggle]")].slice(0, 1).map((one) => ({ group: "More", target: one })),
  ].map((offer) => ({ ...offer, label: offer.label ?? labelOf(offer.target) })).filter((offer) => offer.label);
}

// What is typed can be looked for in the log, whatever else has that name.
function search(typed) {
  if (!typed || !dialog.dataset.search) return [];
  const url = `${dialog.dataset.search}?${new URLSearchParams({ q: typed })}`;
  return [{ group: "Log", label: `Search the log: ${typed}`, url }];
}

// Every letter in order; a run of letters, and one at the start of a word, count for more.
export function rank(label, typed) {
  const text = label.toLowerCase();
  let score = 0;
  let from = 0;
  for (const letter of typed.toLowerCase().replace(/\s/g, "")) {
    const found = text.indexOf(letter, from);
    if (found < 0) return -1;
    score += found === from ? 3 : 0;
    score += found === 0 || text[found - 1] === " " ? 2 : 0;
    from = found + 1;
  }
  return score - text.length / 100;
}

function item(offer, index) {
  const line = document.createElement("div");
  line.className = "palette__item";
  line.id = `palette-${index}`;
  line.setAttribute("role", "option");
  const text = document.createElement("span");
  text.textContent = offer.label;
  const kind = document.createElement("span");
  kind.className = "palette__kind";
  kind.textContent = input.value.trim() && offer.url ? offer.group : "";
  line.append(text, kind, ...(offer.keys ?? "").split(" ").filter(Boolean).map(cap));
  line.addEventListener("mousemove", () => { if (at !== index) { at = index; mark(); } });
  line.addEventListener("click", () => choose(index));
  return line;
}

function headed(name) {
  const heading = document.createElement("div");
  heading.className = "palette__group";
  heading.textContent = name;
  return heading;
}

function draw() {
  const typed = input.value.trim();
  shown = offers()
    .map((offer) => ({ ...offer, rank: typed ? rank(offer.label, typed) : 0 }))
    .filter((offer) => offer.rank >= 0);
  if (typed) shown.sort((one, other) => other.rank - one.rank);
  shown.push(...search(typed));
  at = 0;
  const lines = shown.flatMap((offer, index) => {
    const begins = !typed && offer.group !== shown[index - 1]?.group;
    return begins ? [headed(offer.group), item(offer, index)] : [item(offer, index)];
  });
  if (!lines.length) {
    lines.push(headed(""));
    lines[0].className = "palette__none";
    lines[0].textContent = "Nothing here has that name.";
  }
  list.replaceChildren(...lines);
  mark();
}

function mark() {
  list.querySelectorAll("[role=option]").forEach((line, index) => line.setAttribute("aria-selected", String(index === at)));
  const line = list.querySelector("[aria-selected=true]");
  input.setAttribute("aria-activedescendant", line?.id ?? "");
  line?.scrollIntoView({ block: "nearest" });
}

function choose(index) {
  const offer = shown[index];
  dialog.close();
  if (offer?.url) location.assign(offer.url);
  else offer?.target.click();
}

function show() {
  if (document.querySelector("dialog[open]")) return;
  input.value = "";
  dialog.showModal();
  draw();
  ask();
}

if (dialog) {
  input.addEventListener("input", draw);
  dialog.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) { at = (at + by + shown.length) % Math.max(1, shown.length); mark(); event.preventDefault(); }
    if (event.key === "Enter") { event.preventDefault(); choose(at); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    event.preventDefault();
    show();
  });
  document.addEventListener("click", (event) => { if (event.target.closest("[data-open-palette]")) show(); });
}
