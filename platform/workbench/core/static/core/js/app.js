// Small behaviours of every page: theme, toasts, copying, dialogs, menus, closing the inspector.

import { openDialog, refuse } from "./dialogs.js";

const TOAST_MS = 6000;
const UNDO_MS = 20000; // a toast that offers to undo something is worth more time
const TONES = { success: "good", warning: "warn", error: "bad", info: "live" };

function setCookie(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`;
}

function shownTheme() {
  const asked = document.documentElement.dataset.theme;
  if (asked) return asked;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function toggleTheme() {
  const theme = shownTheme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  setCookie("theme", theme);
  document.body.dispatchEvent(new CustomEvent("themechange", { detail: { theme } }));
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function leave(toast) {
  toast.classList.add("is-leaving");
  setTimeout(() => toast.remove(), 140);
}

function leaveInTime(toast) {
  if (toast.dataset.toast === "kept") return;
  toast.dataset.toast = "kept";
  if (toast.getAttribute("role") === "alert") return; // an error stays until it is dismissed
  setTimeout(() => (toast.matches(":hover") ? toast.addEventListener("mouseleave", () => leave(toast)) : leave(toast)), toast.querySelector("[data-undo]") ? UNDO_MS : TOAST_MS);
}

function toast({ text, level = "info" }) {
  const region = document.getElementById("toasts");
  if (!region || !text) return;
  const dialog = document.querySelector("dialog[open]:modal:has(form .dialog__body)");
  if (dialog && level === "error") return refuse(dialog, text);
  const made = element("div", `toast toast--${TONES[level] ?? level}`, "");
  made.setAttribute("role", level === "error" ? "alert" : "status");
  const dismiss = element("button", "button button--quiet button--icon button--small", "×");
  dismiss.type = "button";
  dismiss.dataset.dismiss = "";
  dismiss.setAttribute("aria-label", "Dismiss");
  made.append(element("span", "toast__text", text), dismiss);
  region.append(made);
  leaveInTime(made);
}

function announce(text) {
  const region = document.getElementById("announcer");
  if (region) region.textContent = text;
}

// The very text of a file (`data-copy-from`), since a page may show its start only; else what is shown.
async function textOf(button, source) {
  if (!button.dataset.copyFrom) return (source.value ?? source.textContent).trim();
  const answer = await fetch(button.dataset.copyFrom);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await answer.arrayBuffer());
}

async function copy(button) {
  const source = button.dataset.copy
    ? document.querySelector(button.dataset.copy)
    : button.parentElement.querySelector("pre, code, input");
  try {
    await navigator.clipboard.writeText(await textOf(button, source));
  } catch {
    getSelection().selectAllChildren(source); // no clipboard without HTTPS: leave it marked
    toast({ text: "Copying needs HTTPS or localhost. The text is selected: press Ctrl+C.", level: "warning" });
    return;
  }
  const label = [...button.childNodes].find((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  if (label) {
    const before = label.textContent;
    label.textContent = "Copied";
    setTimeout(() => { label.textContent = before; }, 1400);
  }
  announce("Copied");
}

// The address says what lies open; a page that is loaded again shows no more than was there.
function forgetOpen() {
  const address = new URL(location.href);
  if (!address.searchParams.has("open")) return;
  address.searchParams.delete("open");
  history.replaceState(history.state, "", address);
}

export function closeInspector() {
  const inspector = document.getElementById("inspector");
  if (!inspector?.firstElementChild) return false;
  inspector.replaceChildren();
  document.querySelectorAll("[data-row].is-open").forEach((row) => row.classList.remove("is-open"));
  document.querySelector("[data-row].is-current")?.focus({ preventScroll: true });
  forgetOpen();
  document.body.dispatchEvent(new CustomEvent("inspectorclose"));
  return true;
}

const CLICKS = {
  "[data-theme-toggle]": toggleTheme,
  "[data-copy]": copy,
  "[data-dismiss]": (button) => leave(button.closest("[data-toast]") ?? button.closest(".toast")),
  "[data-dialog]": openDialog,
  "[data-close]": (button) => button.closest("dialog")?.close(),
  "[data-close-inspector]": closeInspector,
};

document.addEventListener("click", (event) => {
  for (const [selector, act] of Object.entries(CLICKS)) {
    const button = event.target.closest(selector);
    if (button) act(button);
  }
  if (event.target instanceof HTMLDialogElement) event.target.close(); // a click on the backdrop
  document.querySelectorAll("details[data-menu][open]").forEach((menu) => {
    if (!menu.contains(event.target) || event.target.closest(".menu__item")) menu.open = false;
  });
});

document.addEventListener("submit", (event) => {
  const sentence = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (sentence && !confirm(sentence)) event.preventDefault();
}, true);

// What a form asks for is asked once: a second press while the page is on its way would do it again.
const SENT_MS = 5000;

function sendOnce(event) {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if ("sent" in form.dataset) event.preventDefault();
  form.dataset.sent = "";
  setTimeout(() => delete form.dataset.sent, SENT_MS);
}

document.addEventListener("submit", sendOnce);
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

const FAILED = {
  403: "The server refused this. Reload the page and try again; if it stays, ask an owner of the project.",
  404: "This is not there any more: somebody has deleted it, perhaps you in another tab. Reload the page to see what is.",
};

document.body.addEventListener("toast", (event) => toast(event.detail));
document.body.addEventListener("announce", (event) => announce(event.detail.text));
document.body.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.getResponseHeader("HX-Trigger")) return;
  const { status } = event.detail.xhr;
  toast({ text: FAILED[status] ?? `The server answered with an error (${status}). Nothing was changed; try again.`, level: "error" });
});

let away = false;
document.body.addEventListener("htmx:sendError", () => {
  if (!away) toast({ text: "The server cannot be reached. The page goes on as soon as it answers.", level: "error" });
  away = true;
});
document.body.addEventListener("htmx:afterOnLoad", () => { away = false; });

// On a phone the facets stand in a row above the list: closed, so that the list can be seen.
function foldFacets() {
  if (matchMedia("(max-width: 860px)").matches) document.querySelectorAll("#facets details[open]").forEach((facet) => { facet.open = false; });
}

// What can be scrolled can be reached by key, so that its hidden part can be read.
function reachable(code) {
  const scrolls = code.scrollWidth > code.clientWidth || code.scrollHeight > code.clientHeight;
  if (scrolls) code.tabIndex = 0;
}

function settle() {
  document.querySelectorAll("[data-toast]").forEach(leaveInTime);
  document.querySelectorAll("pre.code:not([tabindex])").forEach(reachable);
}

document.addEventListener("htmx:load", settle);
// On a phone a row of tabs may be wider than the page.
function showCurrentTab() {
  document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

settle();
foldFacets();
showCurrentTab();
if (!/Mac|iPhone|iPad/.test(navigator.platform)) {
  document.querySelectorAll("[data-mod]").forEach((cap) => { cap.textContent = "Ctrl K"; });
}
