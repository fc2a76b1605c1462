// The playground: sends the conversation, shows the answer as it arrives, links to its log entry.

const form = document.getElementById("playground");
const messages = document.getElementById("playground-messages");
const facts = document.getElementById("playground-facts");
const link = document.getElementById("playground-link");
const send = document.getElementById("playground-send");
const stop = document.getElementById("playground-stop");

let conversation = [];
let running = null;

function part(className, text = "") {
  const made = document.createElement("div");
  made.className = className;
  made.textContent = text;
  return made;
}

function show(role, text) {
  const article = document.createElement("article");
  article.className = `message message--${role}`;
  const body = part("message__body");
  const shown = part("message__text", text);
  body.append(shown);
  article.append(part("message__role", role), body);
  messages.append(article);
  return shown;
}

function number(field) {
  return field.value === "" ? null : Number(field.value);
}

function asked() {
  const system = form.system.value.trim();
  return {
    model: form.model.value.trim(),
    messages: system ? [{ role: "system", content: system }, ...conversation] : conversation,
    temperature: number(form.temperature),
    max_tokens: number(form.max_tokens),
  };
}

// The documents of a stream of server-sent events, as they arrive.
async function* documents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const events = (rest + (value ?? "")).replaceAll("\r\n", "\n").split("\n\n");
    rest = done ? "" : events.pop();
    for (const event of events) {
      const lines = event.split("\n").filter((line) => line.startsWith("data:"));
      const text = lines.map((line) => line.slice(5).trimStart()).join("\n");
      if (text && text !== "[DONE]") yield JSON.parse(text);
    }
    if (done) return;
  }
}

class Answer {
  constructor() {
    this.begun = performance.now();
    this.text = "";
    this.shown = show("assistant", "…");
  }

  take(said) {
    if (said.error) throw new Error(said.error.message ?? String(said.error));
    if (said.stillhouse) link.href = `${form.dataset.log}${said.stillhouse.request_id}/`;
    if (said.stillhouse) link.hidden = false;
    const choice = said.choices?.[0];
    const piece = choice?.delta?.content ?? choice?.message?.content ?? "";
    if (piece) this.firstMs ??= performance.now() - this.begun;
    this.text += piece;
    if (this.text) this.shown.textContent = this.text;
    this.model = said.model ?? this.model;
    this.usage = said.usage ?? this.usage;
  }

  finish() {
    if (!this.text) this.shown.textContent = "(empty answer)";
    const parts = [`${Math.round(performance.now() - this.begun)} ms`];
    if (this.firstMs !== undefined) parts.push(`first token ${Math.round(this.firstMs)} ms`);
    if (this.usage) parts.push(`${this.usage.prompt_tokens} → ${this.usage.completion_tokens} tokens`);
    if (this.model) parts.push(this.model);
    facts.textContent = parts.join(" · ");
  }

  fail(problem) {
    const stopped = problem.name === "AbortError";
    const sentence = stopped ? "Stopped." : problem.message;
    if (!this.text) this.shown.closest(".message").remove();
    if (!stopped) show("error", sentence);
    facts.textContent = stopped ? sentence : "";
  }
}

async function post(signal) {
  const headers = { "Content-Type": "application/json", "X-CSRFToken": form.dataset.token };
  const body = JSON.stringify(asked());
  const response = await fetch(form.dataset.url, { method: "POST", headers, body, signal });
  if (response.ok) return response;
  const said = await response.json().catch(() => null);
  throw new Error(said?.error?.message ?? "The server refused. Reload the page and try again.");
}

async function submit(event) {
  event.preventDefault();
  const text = form.message.value.trim();
  if (running || !text) return;
  conversation.push({ role: "user", content: text });
  show("user", text);
  form.message.value = "";
  facts.textContent = "";
  link.hidden = true;
  running = new AbortController();
  send.disabled = true;
  stop.hidden = false;
  const answer = new Answer();
  try {
    for await (const said of documents(await post(running.signal))) answer.take(said);
    answer.finish();
  } catch (problem) {
    answer.fail(problem);
  }
  if (answer.text) conversation.push({ role: "assistant", content: answer.text });
  else conversation.pop();
  running = null;
  send.disabled = false;
  stop.hidden = true;
}

function clear() {
  running?.abort();
  conversation = [];
  messages.replaceChildren();
  facts.textContent = "";
  link.hidden = true;
}

if (form) {
  form.addEventListener("submit", submit);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  stop.addEventListener("click", () => running?.abort());
  document.getElementById("playground-clear").addEventListener("click", clear);
}
