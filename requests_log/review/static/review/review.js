// Shows the next item at once when a verdict is sent: its text is on the page already. The server's
// answer then replaces the whole; when there is none, or it refuses, what was there comes back.
// Whoever is faster than the server loses nothing: what they write meanwhile is carried over, and a
// verdict they give meanwhile is given when the answer is there, to the item they saw.

let sent = null; // what was on the screen when a verdict was sent; null when none is on its way
let held = null; // the verdict that was given meanwhile
let written = null; // what was being written when the answer came

const place = () => document.getElementById("review-item");
const other = () => document.querySelector("#review [name=other]");
const shownItem = () => document.getElementById("review-answer")?.dataset.item;
// By name, since the form has a field called “dataset”, which hides its property of that name.
const verdictOf = (element) => element?.getAttribute?.("data-verdict");
const BUTTONS = {
  accept: "[data-verdict=accept] .button--primary",
  reject: "[data-verdict=reject] .button--danger",
  skip: "[data-verdict=skip]",
  undo: "[data-verdict=undo]",
};

function holdBack(event) {
  const verdict = verdictOf(event.target);
  if (!sent || !verdict) return;
  event.preventDefault();
  const reason = event.detail.triggeringEvent?.submitter?.value;
  held = { verdict, item: shownItem(), reason, own: other()?.value };
}

function showNext(event) {
  const verdict = verdictOf(event.target);
  if (!verdict) return;
  sent = { nodes: null, other: "" };
  if (verdict === "undo" || !place()) return;
  sent = { nodes: [...place().childNodes], other: other().value };
  other().value = "";
  document.activeElement?.closest("#review textarea, #review input")?.blur();
  const next = document.getElementById("review-next");
  if (next) place().replaceChildren(next.content.cloneNode(true));
}

function answered(event) {
  const from = event.detail.requestConfig?.elt; // the event itself comes from elsewhere once that is replaced
  if (!sent || !verdictOf(from)) return;
  const { nodes, other: reason } = sent;
  sent = null;
  if (event.detail.successful && event.detail.xhr.status !== 204) return giveHeld();
  held = null;
  if (!nodes || !place()) return;
  place().replaceChildren(...nodes);
  other().value = reason;
}

function giveHeld() {
  if (!held) return;
  const { verdict, item, reason, own } = held;
  held = null;
  if (verdict !== "undo" && item !== shownItem()) return; // it was meant for something else
  if (verdict === "reject" && !reason) other().value = own;
  const button = reason ? `[data-verdict=reject] [value="${CSS.escape(reason)}"]` : BUTTONS[verdict];
  document.querySelector(`#review ${button}`)?.click();
}

function keepWritten(event) {
  if (event.detail.target?.id !== "review") return;
  const all = [...document.querySelectorAll("#review textarea[name], #review [name=other]")];
  const touched = all.filter((field) => field.value !== field.defaultValue || field === document.activeElement);
  const fields = touched.map((field) => {
    const { name, value, selectionStart, selectionEnd } = field;
    return { name, value, selectionStart, selectionEnd, inside: field === document.activeElement };
  });
  written = { item: shownItem(), fields };
}

function goOnWriting() {
  const { item, fields } = written ?? {};
  written = null;
  if (!item || item !== shownItem()) return;
  for (const { name, value, selectionStart, selectionEnd, inside } of fields) {
    const field = document.querySelector(`#review [name="${name}"]`);
    if (!field) continue;
    field.value = value;
    if (inside) field.focus();
    field.setSelectionRange(selectionStart, selectionEnd);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

document.body.addEventListener("htmx:confirm", holdBack); // htmx itself would forget it later
document.body.addEventListener("htmx:beforeSend", showNext);
document.body.addEventListener("htmx:afterRequest", answered);
document.body.addEventListener("htmx:beforeSwap", keepWritten);
document.body.addEventListener("htmx:afterSettle", goOnWriting);
// A form that htmx does not know yet must not leave the page.
document.addEventListener("submit", (event) => { if (event.target.matches("#review form")) event.preventDefault(); });
