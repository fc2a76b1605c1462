// Working through a study. The next item is on the page already and shown at once when a verdict is
// sent; the server's answer then brings the one after it. When there is no answer, or it refuses,
// what was there comes back. A verdict that is given meanwhile is held until the answer is there.

let sent = null; // what was on the screen when a verdict was sent; null when none is on its way
let held = null; // the button that was pressed meanwhile, and what was shown

const place = () => document.getElementById("rate-item");
const shown = () => place()?.dataset.slot;
const verdictOf = (element) => element?.getAttribute?.("data-verdict");

function holdBack(event) {
  if (!sent || !verdictOf(event.target)) return;
  event.preventDefault();
  const button = event.detail.triggeringEvent?.submitter ?? event.target;
  held = { name: button.name, value: button.value, verdict: verdictOf(button), slot: shown() };
}

function showNext(event) {
  const verdict = verdictOf(event.target);
  if (!verdict) return;
  sent = { nodes: null, slot: shown() };
  const next = document.getElementById("rate-next");
  if (verdict === "undo" || !place() || !next) return;
  sent.nodes = [...place().childNodes];
  place().replaceChildren(next.content.cloneNode(true));
  place().dataset.slot = next.dataset.slot;
  next.remove();
  begin();
}

// What is shown already stays, with what was answered in it: only what stands around it is new.
function swapRest(event) {
  if (event.detail.target?.id !== "rate" || !sent?.nodes) return;
  if (event.detail.xhr.getResponseHeader("Stillhouse-Slot") !== shown()) return;
  event.detail.target = document.getElementById("rate-rest");
  event.detail.selectOverride = "#rate-rest";
}

function answered(event) {
  if (!sent || !verdictOf(event.detail.requestConfig?.elt)) return;
  const { nodes, slot } = sent;
  sent = null;
  if (event.detail.successful && event.detail.xhr.status !== 204) return giveHeld();
  held = null;
  if (!nodes || !place()) return;
  place().replaceChildren(...nodes);
  place().dataset.slot = slot;
}

function giveHeld() {
  if (!held) return;
  const { name, value, verdict, slot } = held;
  held = null;
  if (verdict !== "undo" && slot !== shown()) return; // it was meant for something else
  const named = name ? `[name="${name}"][value="${CSS.escape(value)}"]` : "[data-key=Enter]";
  document.querySelector(`#rate ${verdict === "undo" ? "[data-verdict=undo]" : named}`)?.click();
}

// The keys of a field work while it is the current row.
function begin() {
  scrollTo({ top: 0 });
  document.querySelector("#rate-item [data-row]")?.focus({ preventScroll: true });
}

function goOn(event) {
  const field = event.target.closest?.(".rate-field");
  if (event.isTrusted || !field || !event.target.matches(".pick")) return; // a key, not the mouse
  if (field.querySelector("[type=checkbox]")) return;
  const all = [...document.querySelectorAll("#rate-item [data-row]")];
  all[all.indexOf(field) + 1]?.focus();
}

function nameMissing(event) {
  const form = event.target.closest?.("#rate-form");
  const open = form?.querySelector(":invalid:not(fieldset, form)");
  open?.closest("[data-row]")?.focus();
  open?.reportValidity();
}

document.body.addEventListener("htmx:confirm", holdBack); // htmx itself would forget it later
document.body.addEventListener("htmx:beforeSend", showNext);
document.body.addEventListener("htmx:beforeSwap", swapRest);
document.body.addEventListener("htmx:afterRequest", answered);
document.body.addEventListener("htmx:validation:halted", nameMissing);
document.body.addEventListener("htmx:afterSettle", (event) => { if (event.target.id === "rate") begin(); });
document.addEventListener("click", goOn);
// A form that htmx does not know yet must not leave the page.
document.addEventListener("submit", (event) => { if (event.target.matches("#rate form")) event.preventDefault(); });
