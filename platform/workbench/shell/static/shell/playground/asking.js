// Asking the server: JSON in, JSON out, answers as streams of events.

export const root = document.getElementById("play");
export const addresses = JSON.parse(document.getElementById("play-addresses").textContent);
export const byId = (id) => document.getElementById(id);

// A refusal with its sentence, and what is to be mended where.
export class Refused extends Error {
  constructor(told, status) {
    super(told?.error?.message ?? "The server did not answer as expected. Reload the page and try again.");
    this.problems = told?.problems ?? [];
    this.status = status;
  }
}

async function refusal(response) {
  return new Refused(await response.json().catch(() => null), response.status);
}

async function fetched(url, options) {
  try {
    return await fetch(url, options);
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new Refused({ error: { message: "The server cannot be reached. Nothing was run; try again." } }, 0);
  }
}

function posting(body, signal) {
  const headers = { "Content-Type": "application/json", "X-CSRFToken": root.dataset.token };
  return { method: "POST", headers, body: JSON.stringify(body), signal };
}

export async function ask(name, body, signal) {
  const response = await fetched(addresses[name], posting(body, signal));
  const isJson = response.headers.get("Content-Type")?.includes("json");
  if (!response.ok || !isJson) throw await refusal(response);
  return response.json();
}

export async function look(name, query) {
  const response = await fetched(`${addresses[name]}?${new URLSearchParams(query)}`);
  if (!response.ok) throw await refusal(response);
  return response.json();
}

// The documents of a stream of server-sent events, as they arrive.
export async function* stream(name, body, signal) {
  const response = await fetched(addresses[name], posting(body, signal));
  if (!response.ok || !response.body) throw await refusal(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const events = (rest + (value ?? "")).replaceAll("\r\n", "\n").split("\n\n");
    rest = done ? "" : events.pop();
    for (const event of events) {
      const found = documentIn(event);
      if (found) yield found;
    }
    if (done) return;
  }
}

function documentIn(event) {
  const lines = event.split("\n").filter((line) => line.startsWith("data:"));
  const text = lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n");
  if (!text || text === "[DONE]") return null;
  try {
    return JSON.parse(text);
  } catch {
    return { error: { message: `The provider sent something that is no JSON: ${text.slice(0, 500)}` } };
  }
}

export function toast(text, level = "info") {
  document.body.dispatchEvent(new CustomEvent("toast", { detail: { text, level } }));
}

export function say(text) {
  byId("play-status").textContent = text;
}

export function made(tag, className, text = "") {
  const one = document.createElement(tag);
  one.className = className;
  one.textContent = text;
  return one;
}
