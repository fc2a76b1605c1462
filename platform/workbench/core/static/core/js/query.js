// The query bar while somebody types: what may stand here, and what is wrong where it stands.
// `input[data-complete]` names the address that knows both. It is asked with the text and the place
// of the cursor and answers with offers, the part they replace, and the problems. Places count
// characters, not UTF-16 units, so a smiling face is one.

const WAIT_MS = 90;
const input = document.querySelector("input[data-complete]");
const list = document.getElementById("query-offers");
const marks = document.querySelector("[data-marks]");
const errors = document.getElementById("query-error");
let answer = { start: 0, end: 0, offers: [], problems: null }; // until asked, the page's own marks stand
let at = -1;
let timer = 0;
let asking = null;

const letters = (text) => [...text];
const cursor = () => letters(input.value.slice(0, input.selectionStart)).length;
const isOpen = () => !list.hidden;

async function ask() {
  clearTimeout(timer);
  asking?.abort();
  asking = new AbortController();
  const text = input.value;
  const asked = new URLSearchParams({ q: text, at: cursor() });
  try {
    const response = await fetch(`${input.dataset.complete}?${asked}`, { signal: asking.signal, headers: { Accept: "application/json" } });
    if (!response.ok || response.redirected || text !== input.value) return;
    answer = { ...(await response.json()), text };
  } catch {
    return; // overtaken by the next letter, or no server: the query can be sent all the same
  }
  at = -1;
  show();
  mark();
}

function later() {
  choose(-1);
  clearTimeout(timer);
  timer = setTimeout(ask, WAIT_MS);
}

function line(offer, index) {
  const made = document.createElement("div");
  made.className = "offers__item";
  made.id = `offer-${index}`;
  made.setAttribute("role", "option");
  const label = document.createElement("span");
  label.textContent = offer.label;
  const detail = document.createElement("span");
  detail.textContent = offer.count ? [offer.detail, offer.count.toLocaleString("en")].filter(Boolean).join(" · ") : offer.detail;
  made.append(label, detail);
  made.addEventListener("mousedown", (event) => { event.preventDefault(); take(index); });
  return made;
}

function show() {
  list.replaceChildren(...answer.offers.map(line));
  toggle(answer.offers.length > 0 && document.activeElement === input);
}

function toggle(open) {
  list.hidden = !open;
  input.setAttribute("aria-expanded", String(open));
  choose(open ? at : -1);
}

function choose(index) {
  at = index;
  [...list.children].forEach((one, place) => one.setAttribute("aria-selected", String(place === at)));
  const chosen = list.children[at];
  input.setAttribute("aria-activedescendant", chosen?.id ?? "");
  chosen?.scrollIntoView({ block: "nearest" });
}

async function take(index) {
  if (answer.text !== input.value) await ask(); // typed since: what is shown no longer fits
  const offer = answer.offers[index];
  if (!offer || answer.text !== input.value) return;
  const text = letters(input.value);
  const before = text.slice(0, answer.start).join("") + offer.text;
  const after = text.slice(answer.end).join("");
  input.value = before + (offer.text.endsWith(" ") ? after.replace(/^ /, "") : after);
  input.setSelectionRange(before.length, before.length);
  toggle(false);
  ask();
}

// A part that is still being typed is not wrong yet.
function settled(problem) {
  return document.activeElement !== input || cursor() < problem.start || cursor() > problem.end;
}

function mark() {
  if (!answer.problems) return;
  const text = letters(input.value);
  const wrong = answer.problems.filter(settled).sort((one, other) => one.start - other.start);
  let end = 0;
  const parts = [];
  for (const problem of wrong) {
    if (problem.start < end) continue;
    const made = document.createElement("mark");
    made.textContent = text.slice(problem.start, problem.end).join("");
    parts.push(text.slice(end, problem.start).join(""), made);
    end = problem.end;
  }
  marks.replaceChildren(...parts, text.slice(end).join(""));
  marks.scrollLeft = input.scrollLeft;
  input.setAttribute("aria-invalid", String(wrong.length > 0));
  errors.hidden = wrong.length === 0;
  errors.replaceChildren(...wrong.map(sentence));
}

function sentence(problem) {
  const made = document.createElement("span");
  const part = document.createElement("code");
  part.textContent = letters(input.value).slice(problem.start, problem.end).join("");
  made.append(part, ` ${problem.sentence}`);
  return made;
}

const step = (by) => choose((at + by + answer.offers.length + (at < 0 && by < 0)) % answer.offers.length);

function pressed(event) {
  if (event.isComposing || event.altKey || event.metaKey) return;
  if (event.ctrlKey) {
    if (event.key === " ") { event.preventDefault(); ask(); }
    return;
  }
  if (!isOpen()) {
    if (event.key === "ArrowDown") { event.preventDefault(); ask(); }
    return;
  }
  const typed = answer.end > answer.start || answer.text !== input.value;
  if (event.key === "ArrowDown") step(1);
  else if (event.key === "ArrowUp") step(-1);
  else if (event.key === "Escape") toggle(false);
  else if (event.key === "Enter" && at >= 0) take(at);
  else if (event.key === "Tab" && !event.shiftKey && (at >= 0 || typed)) take(Math.max(at, 0));
  else return;
  event.preventDefault();
}

// A span drawn over the timeline, or a bar that was pressed, becomes part of the query: the server writes it.
function zoom(target, from, to) {
  const address = target.closest("[data-zoom]")?.dataset.zoom;
  if (!address) return;
  const plain = (moment) => String(moment).replace(" ", "T").replace(/\..*/, "");
  const asked = { q: document.querySelector("[data-query]")?.defaultValue ?? "", from: plain(from), to: plain(to) };
  location.assign(`${address}?${new URLSearchParams(asked)}`);
}

document.addEventListener("chart:range", ({ target, detail }) => zoom(target, detail.from, detail.to));
document.addEventListener("chart:point", ({ target, detail }) => zoom(target, detail.x, detail.custom[1]));

if (input && list && marks && errors) {
  input.addEventListener("input", later);
  input.addEventListener("keydown", pressed);
  input.addEventListener("scroll", () => { marks.scrollLeft = input.scrollLeft; });
  input.addEventListener("blur", () => { toggle(false); mark(); });
  input.addEventListener("click", later);
}
