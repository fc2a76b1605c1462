// Dialogs: opened by their buttons; one whose form the server refused opens again as it was sent.

const KEPT = "refused";
const place = () => location.pathname + location.search;

// The first control of the dialog's body, not its close button, gets the focus.
export function openDialog(button) {
  show(document.getElementById(button.dataset.dialog));
}

function show(dialog) {
  dialog?.showModal();
  dialog?.querySelector("[autofocus], .dialog__body :is(input:not([type=hidden]), select, textarea), .dialog__foot .button--primary")?.focus();
}

// Why the server refused a dialog's form, in the dialog: what lies behind it is dimmed and out of reach.
export function refuse(dialog, text) {
  dialog.querySelector("[data-refusal]")?.remove();
  const reason = document.createElement("p");
  reason.className = "form__errors";
  reason.textContent = text;
  reason.setAttribute("role", "alert");
  reason.dataset.refusal = "";
  dialog.querySelector(".dialog__body").prepend(reason);
}

// Passwords and files are not kept; what is lies in this tab alone, until the next page.
function keep(event) {
  const form = event.target;
  const dialog = form.closest("dialog[id]");
  if (!dialog || event.defaultPrevented || form.method !== "post" || form.matches("[hx-post]")) return;
  const values = [...new FormData(form, event.submitter)].filter(([name, value]) =>
    typeof value === "string" && name !== "csrfmiddlewaretoken" && !form.querySelector(`[type=password][name="${CSS.escape(name)}"]`));
  sessionStorage.setItem(KEPT, JSON.stringify({ place: place(), dialog: dialog.id, values }));
}

function fill(form, values) {
  for (const control of form.elements) {
    const own = values.filter(([name]) => name === control.name);
    if (control.matches("[type=checkbox], [type=radio]")) control.checked = own.some(([, value]) => value === control.value);
    else if (own.length && control.matches("input:not([type=hidden]), select, textarea")) control.value = values.splice(values.indexOf(own[0]), 1)[0][1];
  }
}

function openAgain() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  sessionStorage.removeItem(KEPT);
  const toast = document.querySelector("#toasts .toast--bad");
  const dialog = kept && kept.place === place() && toast && document.getElementById(kept.dialog);
  if (!dialog) return;
  fill(dialog.querySelector("form"), kept.values);
  refuse(dialog, toast.querySelector(".toast__text").textContent);
  toast.remove();
  show(dialog);
}

document.addEventListener("submit", keep);
openAgain();
