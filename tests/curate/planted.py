"""A seeded dataset with faults planted in it, and things that only look like faults.

Words are made up, so that texts are alike only where that is meant. Every example shares a system
prompt and a sentence of its question, as datasets made of one prompt do.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from requests_log.datasets.canonical import group_fingerprint
from requests_log.datasets.hygiene.models import Check
from requests_log.datasets.splits import BUCKETS
from tests.redaction.corpus import KINDS

SEED = 20261121
CLEAN = 400
EACH = 30
SYSTEM = "You are the assistant of a shop. Answer politely, and in the language of the customer."
OPENING = "A customer writes to us about an order, please say what to answer:"
REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I\u2019m sorry, but as an AI language model I cannot give that advice.",
    "As a large language model, I don't have access to such information.",
    "Unfortunately, I am unable to answer this question. Please ask a person.",
    "I cannot assist with that request.",
    "Es tut mir leid, aber ich kann dabei nicht helfen.",
    "Je suis désolé, mais je ne peux pas répondre à cette question.",
    "Lo siento, pero no puedo ayudar con eso.",
)
NO_REFUSALS = (
    "We are sorry for the delay. Your parcel was sent this morning and arrives tomorrow.",
    "Sorry to hear that! You can send it back for free within thirty days.",
    "I can help with that: open the account page and press the red button.",
    "That our driver refused to wait is not right. He said “I cannot help you”, which is rude.",
)
NO_DATA = ("Version 4.11.2 of 2024-01-31, order A-4711-88", "Room 12, 3.14159 per cent, 1,234,567")
NOTHING = ("...", "N/A", "null", "-", "None", "(!)")


@dataclass
class Planted:
    """Rows to add (with a group each), the questions of an evaluation set, and which rows, by
    number, a check must point at."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    evaluation: list[dict[str, Any]] = field(default_factory=list)
    truth: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, question: str, answer: str, *, group: str, check: str | None = None) -> None:
        if check is not None:
            self.truth[check].add(len(self.rows))
        self.rows.append(row_of(question, answer, group=group))


def row_of(question: str, answer: str, *, group: str) -> dict[str, Any]:
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"{OPENING} {question}"},
        {"role": "assistant", "content": answer},
    ]
    return {"messages": messages, "group": group}


class Writer:
    """Made-up sentences."""

    def __init__(self, seed: int) -> None:
        self.r = random.Random(seed)
        parts = ["ba", "ko", "ri", "tu", "se", "lan", "mor", "fi", "du", "pel", "gra", "nex"]
        self.words = sorted({"".join(self.r.choices(parts, k=3)) for _ in range(1_500)})
        self._groups = 0

    def text(self, words: int) -> str:
        return " ".join(self.r.choices(self.words, k=words)).capitalize() + "."

    def edited(self, text: str, share: float) -> str:
        """The text with this share of its words replaced."""
        words = text.split()
        for at in self.r.sample(range(len(words)), max(1, round(share * len(words)))):
            words[at] = self.r.choice(self.words)
        return " ".join(words)

    def group(self, *, heldout: bool) -> str:
        """A new group that a freeze with 10 % held out puts on this side."""
        while True:
            self._groups += 1
            name = f"planted {self._groups}"
            bucket = int.from_bytes(group_fingerprint(name)[:4]) % BUCKETS
            if (bucket < BUCKETS // 10) == heldout:
                return name


def plant(seed: int = SEED) -> Planted:
    """The dataset, with its rows in a random order."""
    writer, made = Writer(seed), Planted()
    for number in range(CLEAN):
        held = number % 10 == 0
        question, group = writer.text(writer.r.randint(20, 60)), writer.group(heldout=held)
        answer = writer.r.choice(NO_REFUSALS) if number % 5 == 0 else ""
        extra = writer.r.choice(NO_DATA) if number % 7 == 0 else ""
        made.add(f"{question} {extra}", f"{answer} {writer.text(25)}", group=group)
    _alike(writer, made)
    _met(writer, made)
    _faults_of_one(writer, made)
    return _shuffled(made, writer.r)


def _alike(w: Writer, made: Planted) -> None:
    for _ in range(EACH):
        group, question, answer = w.group(heldout=False), w.text(40), w.text(25)
        made.add(question, answer, group=group)
        made.add(question.upper(), f" {answer}  ", group=group, check=Check.EXACT)
        group, question, answer = w.group(heldout=False), w.text(45), w.text(25)
        made.add(question, answer, group=group)
        made.add(w.edited(question, 0.05), w.edited(answer, 0.05), group=group, check=Check.NEAR)
        half = w.edited(question, 0.5)  # only related: no duplicate
        made.add(half, w.text(25), group=group)


def _met(w: Writer, made: Planted) -> None:
    """Questions of the held-out side, and of an evaluation set, within training questions."""
    for _ in range(EACH):
        question = w.text(40)
        made.add(question, w.text(25), group=w.group(heldout=True))
        longer = f"{w.text(30)} {w.edited(question, 0.02)} {w.text(30)}"
        made.add(longer, w.text(25), group=w.group(heldout=False), check=Check.LEAK)
        half = f"{' '.join(question.split()[:18])} {w.text(30)}"  # only begins like it: no leak
        made.add(half, w.text(25), group=w.group(heldout=False))
        asked = w.text(40)
        made.evaluation.append(row_of(asked, w.text(5), group=asked))
        again = asked.lower() if w.r.random() < 0.5 else f"{w.edited(asked, 0.02)} {w.text(30)}"
        group = w.group(heldout=False)
        made.add(again, w.text(25), group=group, check=Check.CONTAMINATION)


def _faults_of_one(w: Writer, made: Planted) -> None:
    for number in range(EACH):
        group = w.group(heldout=number % 10 == 0)
        refusal = REFUSALS[number % len(REFUSALS)]
        made.add(w.text(40), f"{refusal} {w.text(6)}", group=group, check=Check.REFUSAL)
        value = KINDS[sorted(KINDS)[number % len(KINDS)]](w.r)
        question = f"{w.text(20)} {value} {w.text(20)}"
        made.add(question, w.text(20), group=w.group(heldout=False), check=Check.PRIVATE)
        nothing = NOTHING[number % len(NOTHING)]
        made.add(w.text(40), nothing, group=w.group(heldout=False), check=Check.EMPTY)


def _shuffled(made: Planted, r: random.Random) -> Planted:
    """Duplicates stay behind what they repeat: the first of a group is the one to keep."""
    order = list(range(len(made.rows)))
    r.shuffle(order)
    for at, number in enumerate(order):
        doubled = number in made.truth[Check.EXACT] | made.truth[Check.NEAR]
        first = order.index(number - 1) if doubled else -1
        if doubled and first > at:
            order[at], order[first] = order[first], order[at]
    place = {number: at for at, number in enumerate(order)}
    truth = {check: {place[one] for one in numbers} for check, numbers in made.truth.items()}
    return Planted([made.rows[number] for number in order], made.evaluation, truth)
