// The list of keys (`?`), gathered from what is on the page at that moment.

const ROW_KEYS = [
  ["j", "Next row"], ["k", "Previous row"], ["Enter", "Open the row"],
];
const SELECT_KEYS = [["x", "Select the row"], ["shift+x", "Select up to here"]];

const usable = (found) => found.checkVisibility() && !found.disabled;

export function showHelp() {
  const dialog = document.getElementById("help");
  if (!dialog || dialog.open) return;
  dialog.querySelector("[data-help]").replaceChildren(...helpGroups());
  dialog.showModal();
}

function helpGroups() {
  const here = [...document.querySelectorAll("[data-key]")].filter(usable).map((one) => [one.dataset.key, labelOf(one)]);
  const places = [...document.querySelectorAll("[data-chord]")].map((one) => [one.dataset.chord, labelOf(one)]);
  const anywhere = [["?", "These keys"], ["Ctrl K", "Go to or do anything"], ["Escape", "Close, clear"]];
  if (document.querySelector("[data-query]")) anywhere.unshift(["/", "Edit the query"]);
  if (document.querySelector("[data-complete]")) anywhere.unshift(["Ctrl Space", "Complete the query"], ["Tab", "Take the first offer, in the query"]);
  if (document.querySelector("#facets > *")) anywhere.unshift(["f", "Facets"]);
  const groups = [["On this page", here], ["Rows", [...(document.querySelector("[data-row]") ? ROW_KEYS : []), ...(document.querySelector("[data-select]") ? SELECT_KEYS : [])]], ["Go to", places], ["Anywhere", anywhere]];
  return groups.filter(([, lines]) => lines.length).map(([name, lines]) => helpGroup(name, new Map(lines)));
}

export function labelOf(found) {
  if (found.matches("input, textarea, select")) return found.getAttribute("aria-label") || (found.labels[0] ? labelOf(found.labels[0]) : found.title);
  const text = [...found.childNodes].filter((node) => !node.matches?.(".kbd, svg, .field__optional")).map((node) => node.textContent).join(" ");
  return text.replace(/\s+/g, " ").trim() || found.getAttribute("aria-label") || found.title;
}

function helpGroup(name, lines) {
  const group = document.createElement("section");
  group.className = "help__group";
  const heading = document.createElement("h3");
  heading.textContent = name;
  group.append(heading, ...[...lines].map(([keys, label]) => helpLine(keys, label)));
  return group;
}

function helpLine(keys, label) {
  const line = document.createElement("div");
  line.className = "help__line";
  const text = document.createElement("span");
  text.textContent = label;
  line.append(text, ...keys.split(" ").map(cap));
  return line;
}

export function cap(name) {
  const made = document.createElement("kbd");
  made.className = "kbd";
  made.textContent = { Enter: "↵", Escape: "Esc", "shift+x": "⇧X" }[name] ?? (name.length === 1 ? name.toUpperCase() : name);
  return made;
}
