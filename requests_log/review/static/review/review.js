// Shows the next item at once when a verdict is sent: its text is on the page already. The server's
// answer then replaces the whole; when there is none, or it refuses, what was there comes back.
// What somebody began to type into the next item meanwhile is carried over.

let before = null; // the nodes of the item a verdict is on its way for
let typing = null;

const place = () => document.getElementById("review-item");

function showNext(event) {
  const next = document.getElementById("review-next");
  if (!event.target.matches("[data-verdict]") || !place()) return;
  before = [...place().childNodes];
  if (next) place().replaceChildren(next.content.cloneNode(true));
}

// One verdict at a time: a second one would be for an item that is on the screen only.
function holdBack(event) {
  if (before && event.target.matches("[data-verdict]")) event.preventDefault();
}

function bringBack(event) {
  const kept = before;
  const sent = event.detail.requestConfig?.elt; // the event itself comes from elsewhere once that is replaced
  if (!kept || !sent?.matches("[data-verdict]")) return;
  before = null;
  if (place() && !(event.detail.successful && event.detail.xhr.status !== 204)) place().replaceChildren(...kept);
}

function keepTyping(event) {
  const field = document.activeElement;
  if (event.detail.target?.id !== "review" || !field?.matches("#review textarea[data-item]")) return;
  const { name, value, selectionStart, selectionEnd } = field;
  typing = { name, value, selectionStart, selectionEnd, item: field.dataset.item };
}

function goOnTyping() {
  if (!typing) return;
  const { name, item, value, selectionStart, selectionEnd } = typing;
  typing = null;
  const field = document.querySelector(`#review textarea[name="${name}"][data-item="${item}"]`);
  if (!field) return;
  field.value = value;
  field.focus();
  field.setSelectionRange(selectionStart, selectionEnd);
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

document.body.addEventListener("htmx:beforeRequest", holdBack);
document.body.addEventListener("htmx:beforeSend", showNext);
document.body.addEventListener("htmx:afterRequest", bringBack);
document.body.addEventListener("htmx:beforeSwap", keepTyping);
document.body.addEventListener("htmx:afterSettle", goOnTyping);
// A form that htmx does not know yet must not leave the page.
document.addEventListener("submit", (event) => { if (event.target.matches("#review form")) event.preventDefault(); });
