"""Masking on the background thread: it fails closed, and a hook that hangs is left behind.

A hook runs on a thread of its own, because Python cannot stop running code: after `timeout` the
content is withheld and that thread is abandoned. After `MOST_ABANDONED` of them the hook is not
called any more and everything is withheld. A regular expression that backtracks holds the whole
interpreter while it runs, and no time limit written in Python can end it.
"""

from __future__ import annotations

import json
import re
import threading
from typing import Any, Callable, Dict, Mapping, Tuple

from stillhouse._guard import guard
from stillhouse._snapshot import dump, marker

Mask = Callable[[Any], Any]
Event = Tuple[Dict[str, Any], Dict[str, bytes]]

MOST_ABANDONED = 3
LONGEST_TEXT = 1_000_000  # characters; a longer text is withheld rather than searched

PATTERNS: Mapping[str, str] = {
    "email": r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}",
    "key": r"\b(?:sk-|sh_|pk-|ghp_|xox[abp]-|AKIA)[A-Za-z0-9_-]{12,200}",
    "bearer": r"(?<=Bearer )[A-Za-z0-9._~+/-]{12,4000}",
    "card": r"(?<!\d)(?:\d[ -]?){12,18}\d(?!\d)",
}


def mask_patterns(patterns: Mapping[str, str] | None = None) -> Mask:
    """A `mask=` that replaces what the patterns find by their names: "a@b.co" by "[email]".

    Without an argument it looks for e-mail addresses, keys, bearer tokens and card numbers (with a
    right check digit). Your own patterns replace these; start from `stillhouse.PATTERNS` to add.
    Mind that a pattern that backtracks holds up your whole program.
    """
    found = {name: re.compile(text) for name, text in (patterns or PATTERNS).items()}

    def mask(value: Any) -> Any:
        if isinstance(value, str):
            return _replaced(value, found)
        if isinstance(value, dict):
            return {mask(str(key)): mask(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [mask(item) for item in value]
        return value

    return mask


def _replaced(text: str, patterns: Mapping[str, re.Pattern[str]]) -> str:
    if len(text) > LONGEST_TEXT:
        return f"[withheld: {len(text)} characters are too many to search]"
    for name, pattern in patterns.items():
        if name == "card":
            text = pattern.sub(lambda m: "[card]" if _luhn(m.group()) else m.group(), text)
        else:
            text = pattern.sub(f"[{name}]", text)
    return text


def _luhn(text: str) -> bool:
    """The check digit of ISO/IEC 7812-1, annex B."""
    digits = [int(c) for c in text if c.isdigit()][::-1]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + doubled) % 10 == 0


class MaskRunner:
    """Applies the host's hook to everything in an event that is content."""

    def __init__(self, mask: Mask, timeout: float) -> None:
        self._mask = mask
        self._timeout = timeout
        self._abandoned = 0
        self._helper: _Helper | None = None

    def run(self, facts: dict[str, Any], contents: dict[str, bytes]) -> Event:
        """The event as the hook wants it, or without content and with the reason."""
        if self._abandoned >= MOST_ABANDONED:
            return _without_content(facts, contents, "mask_hangs")
        helper = self._helper = self._helper or _Helper(self._masked)
        done = helper.ask(facts, contents, self._timeout)
        if done is None:
            self._helper = None
            self._abandoned += 1
            return _without_content(facts, contents, "mask_timed_out")
        return done

    def after_fork(self) -> None:
        self._helper = None

    def _masked(self, facts: dict[str, Any], contents: dict[str, bytes]) -> Event:
        facts = dict(facts)
        for name, part, kind in _content_facts(facts):
            facts[name] = {**facts[name], part: self._apply(facts[name][part], kind)}
        if "comment" in facts:
            facts["comment"] = self._apply(facts["comment"], str)
        masked = {}
        for name, text in contents.items():
            kind = dict if name == "request" else object
            masked[name] = dump(self._apply(json.loads(text), kind))
        return facts, masked

    def _apply(self, value: object, kind: type) -> object:
        try:
            masked = self._mask(value)
            dump(masked)
        except Exception:  # whatever the hook does, unmasked content must not leave
            return _withheld("mask_failed", kind)
        if masked is None or not isinstance(masked, kind):
            return _withheld("mask_returned_" + type(masked).__name__, kind)
        return masked


class _Helper:
    """A thread that runs one job at a time, and can be left behind."""

    def __init__(self, work: Callable[[dict[str, Any], dict[str, bytes]], Event]) -> None:
        self._work = work
        self._job: Event | None = None
        self._done: Event | None = None
        self._asked, self._answered = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self._run, name="stillhouse-mask", daemon=True).start()

    def ask(self, facts: dict[str, Any], contents: dict[str, bytes], wait: float) -> Event | None:
        """The job's result, or None when it took longer than `wait` seconds."""
        self._job = (facts, contents)
        self._asked.release()
        return self._done if self._answered.acquire(timeout=wait) else None

    def _run(self) -> None:
        guard.inside = True  # what the hook does is not captured
        while True:
            self._asked.acquire()
            facts, contents = self._job or ({}, {})
            self._done = self._work(facts, contents)
            self._answered.release()


def _content_facts(facts: Mapping[str, Any]) -> list[tuple[str, str, type]]:
    """An error's message and a prompt's variables are content; the other facts are not."""
    parts = [("error", "message", str), ("prompt", "variables", dict)]
    return [
        (name, part, kind)
        for name, part, kind in parts
        if isinstance(facts.get(name), dict) and part in facts[name]
    ]


def _without_content(facts: dict[str, Any], contents: dict[str, bytes], reason: str) -> Event:
    facts = dict(facts)
    for name, part, kind in _content_facts(facts):
        facts[name] = {**facts[name], part: _withheld(reason, kind)}
    if "comment" in facts:
        facts["comment"] = _withheld(reason, str)
    return facts, {name: dump(_withheld(reason, dict)) for name in contents}


def _withheld(reason: str, kind: type) -> object:
    return "withheld" if kind is str else marker("withheld", reason=reason)
