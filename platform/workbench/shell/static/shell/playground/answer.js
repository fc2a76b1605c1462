// One answer as it arrives, and what is told of it.

const MOST_SHOWN = 400_000;
export const CUT = `Only the first ${MOST_SHOWN.toLocaleString("en")} characters are shown; the log has all of it.`;

function seconds(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

function dollars(text) {
  const value = Number(text);
  return value && value < 0.01 ? `$${value.toPrecision(2)}` : `$${value.toFixed(value ? 4 : 2)}`;
}

const REMEDIES = [
  [(status) => status === 401 || status === 403, "Check the connection's credential under Settings, Connections."],
  [(status) => status === 404, "Check the model's name, or that the provider has it."],
  [(status) => status === 413, "Shorten the conversation."],
  [(status) => status === 429, "The provider limits how often it may be asked. Wait a moment, then run it again."],
  [(status) => status >= 400 && status < 500, "Mend what it names, then run it again."],
  [(status) => status >= 500, "Run it again; if it stays, see whether the provider has trouble."],
];

export class Answer {
  constructor(shown) {
    this.begun = performance.now();
    this.shown = shown; // told of every piece: text, reasoning
    this.result = { text: "", reasoning: "", tool_calls: [], finish_reason: "", request_id: "", facts: [], error: null, is_cut: false };
    this.facts = {};
  }

  take(said) {
    if (said.stillhouse) Object.assign(this.facts, said.stillhouse);
    if (said.stillhouse) this.result.request_id = said.stillhouse.request_id ?? this.result.request_id;
    if (said.error) this.fail(said.error.message ?? said.error, said.error.code ?? said.error.type);
    const choice = said.choices?.[0];
    if (choice) this.takeChoice(choice);
    this.facts.usage = said.usage ?? this.facts.usage;
    this.facts.model = said.model ?? this.facts.model;
  }

  takeChoice(choice) {
    const message = choice.delta ?? choice.message ?? {};
    this.add("reasoning", message.reasoning_content ?? message.reasoning);
    this.add("text", choice.text ?? message.content ?? message.refusal);
    for (const call of message.tool_calls ?? []) this.takeCall(call);
    this.result.finish_reason = choice.finish_reason ?? this.result.finish_reason;
  }

  add(part, piece) {
    if (typeof piece !== "string" || !piece) return;
    this.facts.first ??= performance.now() - this.begun;
    const room = MOST_SHOWN - this.result[part].length;
    if (piece.length > room) this.result.is_cut = true;
    const taken = piece.slice(0, Math.max(0, room));
    this.result[part] += taken;
    this.shown(part, taken);
  }

  takeCall(call) {
    this.facts.first ??= performance.now() - this.begun;
    const at = call.index ?? this.result.tool_calls.length;
    const known = (this.result.tool_calls[at] ??= { id: "", type: "function", function: { name: "", arguments: "" } });
    known.id = call.id ?? known.id;
    known.function.name += call.function?.name ?? "";
    known.function.arguments += call.function?.arguments ?? "";
  }

  fail(message, code = "") {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    const status = this.facts.status ?? 0;
    const remedy = REMEDIES.find(([fits]) => fits(status))?.[1] ?? "Run it again.";
    this.result.error = { text, code: code ?? "", status, remedy };
  }

  finish() {
    this.result.tool_calls = this.result.tool_calls.filter(Boolean);
    const { usage, cost, ttft_ms: first = null, served_by: server, model } = this.facts;
    const took = this.facts.duration_ms ?? performance.now() - this.begun;
    const facts = [];
    if (this.result.finish_reason) facts.push(["Why it ended", this.result.finish_reason]);
    if (first ?? this.facts.first) facts.push(["Time to first token", `first token ${seconds(first ?? this.facts.first)}`]);
    facts.push(["Time in all", `${seconds(took)} in all`]);
    if (usage) facts.push(["Tokens in and out", `${usage.prompt_tokens ?? "?"} → ${usage.completion_tokens ?? "?"} tokens`]);
    if (cost !== null && cost !== undefined) facts.push(["Cost at list prices", dollars(cost)]);
    if (server || model) facts.push(["Answered by", server || model]);
    this.result.facts = facts;
    return this.result;
  }
}
