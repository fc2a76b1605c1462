// The only timer of the interface. It fires `pulse` on the body: every 2 s while the page is seen
// and used, every 10 s while it is only seen, every minute while it is hidden. Live parts say
// hx-trigger="pulse from:body", and a server that has no more to tell answers 286.

const USED_MS = 2000;
const SEEN_MS = 10000;
const HIDDEN_MS = 60000;
const ATTENTION_MS = 60000;

let lastUse = Date.now();
let timer = 0;

export function pause(now, seen, used) {
  if (!seen) return HIDDEN_MS;
  return now - used < ATTENTION_MS ? USED_MS : SEEN_MS;
}

function beat() {
  document.body.dispatchEvent(new CustomEvent("pulse"));
  wait();
}

function wait() {
  clearTimeout(timer);
  timer = setTimeout(beat, pause(Date.now(), !document.hidden, lastUse));
}

function use() {
  const rested = Date.now() - lastUse > ATTENTION_MS;
  lastUse = Date.now();
  if (rested) beat();
}

for (const name of ["pointermove", "keydown", "scroll", "focus"]) addEventListener(name, use, { passive: true });
document.addEventListener("visibilitychange", () => (document.hidden ? wait() : beat()));
wait();
