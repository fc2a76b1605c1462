// Which rows are chosen. A row is `[data-row]` with a checkbox `[data-select]` whose value is its
// id; the bar is `form[data-selection-bar]`. The form carries either `ids` (these rows) or `all=1`
// with `except` (all that match the query `q`, minus these).

let everything = false;
let last = null;
const except = new Set();

const bar = () => document.querySelector("[data-selection-bar]");
const boxes = () => [...document.querySelectorAll("[data-row] [data-select]")];
const boxOf = (row) => row?.querySelector("[data-select]");

function hidden(name, value) {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name, value });
  return field;
}

function fields() {
  if (!everything) return boxes().filter((box) => box.checked).map((box) => hidden("ids", box.value));
  return [hidden("all", "1"), ...[...except].map((id) => hidden("except", id))];
}

function count() {
  if (!everything) return boxes().filter((box) => box.checked).length;
  return Math.max(0, Number(bar()?.dataset.total ?? 0) - except.size);
}

function paint() {
  for (const box of boxes()) box.closest("[data-row]").classList.toggle("is-selected", box.checked);
  const shown = boxes();
  const chosen = shown.filter((box) => box.checked).length;
  const head = document.querySelector("[data-select-page]");
  if (head) {
    head.checked = chosen > 0 && chosen === shown.length;
    head.indeterminate = chosen > 0 && chosen < shown.length;
  }
  const form = bar();
  if (!form) return;
  const many = count();
  form.hidden = many === 0;
  form.querySelector("[data-selection-fields]").replaceChildren(...fields());
  const text = `${many.toLocaleString("en")} selected`;
  const line = form.querySelector("[data-selection-count]");
  if (line.textContent !== text) document.body.dispatchEvent(new CustomEvent("announce", { detail: { text } }));
  line.textContent = text;
  const all = form.querySelector("[data-select-all]");
  if (all) all.hidden = everything && except.size === 0;
  document.body.dispatchEvent(new CustomEvent("selectionchange:rows", { detail: { count: many, all: everything } }));
}

function set(box, on) {
  if (!box || box.disabled) return;
  box.checked = on;
  if (everything) on ? except.delete(box.value) : except.add(box.value);
}

function toggle(box, range) {
  if (!box) return;
  const on = range ? true : box.checked;
  const all = boxes();
  const from = all.indexOf(last);
  const to = all.indexOf(box);
  if (range && from >= 0) all.slice(Math.min(from, to), Math.max(from, to) + 1).forEach((one) => set(one, on));
  else set(box, on);
  last = box;
  paint();
}

function selectAll() {
  everything = true;
  except.clear();
  boxes().forEach((box) => set(box, true));
  paint();
}

function selectNone() {
  everything = false;
  except.clear();
  last = null;
  boxes().forEach((box) => { box.checked = false; });
  paint();
}

document.addEventListener("click", (event) => {
  const box = event.target.closest("[data-select]");
  if (box) toggle(box, event.shiftKey);
  if (event.target.closest("[data-select-all]")) selectAll();
  if (event.target.closest("[data-select-none]")) selectNone();
  const head = event.target.closest("[data-select-page]");
  if (head) { boxes().forEach((one) => set(one, head.checked)); paint(); }
});

document.addEventListener("row:toggle", (event) => {
  const box = boxOf(event.target);
  if (!box) return;
  if (!event.detail.range) box.checked = !box.checked;
  toggle(box, event.detail.range);
});

// Bulk actions answer with `HX-Trigger: {"selection:clear": {}}` once they are done.
document.body.addEventListener("selection:clear", selectNone);
document.addEventListener("htmx:load", () => {
  if (everything) boxes().forEach((box) => { box.checked = !except.has(box.value); });
  paint();
});
paint();
