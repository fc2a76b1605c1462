"""What the counts mean, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from requests_log.datasets.hygiene.models import Check, Fix

FEW, SOME, MANY = 50, 200, 1_000
"""Examples. The course this product follows tunes small models on about a thousand pairs; below
fifty a model mostly learns them by heart."""
ALIKE_SHARE = 0.9
"""Share of different examples below which repetition weighs on training."""
LITTLE_VARIETY, SOME_VARIETY = 0.2, 0.4
"""Of 200 texts: paragraphs of technical prose reach 0.56, questions filled into one sentence 0.15
(measured on our own documents)."""
GENERATED = frozenset({"teacher"})

_WHY: Mapping[str, str] = {
    Check.EXACT: "The same conversation, but for case and spacing. The model would learn it twice "
    "as hard, and the count promises more than there is.",
    Check.NEAR: "Conversations that share most of their text. They weigh more than others and add "
    "little.",
    Check.LEAK: "Training examples that give away a held-out question. The held-out score would "
    "look better than the model is.",
    Check.CONTAMINATION: "Training examples that give away a question of an evaluation set. Its "
    "comparisons would no longer say anything.",
    Check.LENGTH: "Examples with more tokens than the chosen model reads. A run refuses them or "
    "leaves them out.",
    Check.PRIVATE: "E-mail addresses, phone numbers, keys and the like. A model can repeat what "
    "it was trained on.",
    Check.REFUSAL: "Answers that refuse. A model learns to refuse from them, quickly.",
    Check.EMPTY: "Answers without content. A model learns to say nothing from them.",
    Check.SKEW: "One answer given so often that always giving it looks right.",
}
_NONE: Mapping[str, str] = {
    Check.EXACT: "No conversation is there twice.",
    Check.NEAR: "No two conversations are nearly the same.",
    Check.LEAK: "No training example gives away a held-out question.",
    Check.CONTAMINATION: "No training example gives away a question of an evaluation set.",
    Check.LENGTH: "Every example fits the model.",
    Check.PRIVATE: "No detector found personal data.",
    Check.REFUSAL: "No answer begins by refusing.",
    Check.EMPTY: "Every answer says something.",
    Check.SKEW: "No answer is given too often.",
}
_FIX: Mapping[str, tuple[str, str]] = {
    Check.EXACT: (Fix.How.DROP, "Keep one of each"),
    Check.NEAR: (Fix.How.DROP, "Keep one of each"),
    Check.PRIVATE: (Fix.How.REDACT, "Redact"),
    Check.SKEW: (Fix.How.DROP, "Drop the surplus"),
}


@dataclass(frozen=True)
class CheckShown:
    """A line of the table of checks. `count` is how many examples its fix would change; None when
    it was not asked for."""

    check: Check
    count: int | None
    skipped: str = ""

    @property
    def sentence(self) -> str:
        if self.count is None:
            return self.skipped
        return (_WHY if self.count else _NONE)[self.check]

    @property
    def how(self) -> str:
        return _FIX.get(self.check, (Fix.How.DROP.value, ""))[0]

    @property
    def fix_label(self) -> str:
        return _FIX.get(self.check, ("", "Drop them"))[1]


@dataclass(frozen=True)
class Verdict:
    """One of the four things that make training data good, judged. `tone`: good, warn or bad."""

    title: str
    tone: str
    word: str
    sentence: str


def checks_shown(summary: Mapping[str, Any], counts: Mapping[str, int]) -> list[CheckShown]:
    """Every check with what is left to fix."""
    shown = []
    for check in Check:
        skipped = _skipped(check, summary)
        shown.append(CheckShown(check, None if skipped else counts.get(check, 0), skipped))
    return shown


def verdicts(summary: Mapping[str, Any], counts: Mapping[str, int]) -> list[Verdict]:
    """Quality, diversity, real over generated, amount."""
    return [_quality(summary, counts), _diversity(summary), _real(summary), _amount(summary)]


def _skipped(check: Check, summary: Mapping[str, Any]) -> str:
    if check == Check.LENGTH and not summary.get("lengths"):
        return "Not measured: choose a base model and check again."
    if check == Check.CONTAMINATION and not summary.get("evaluation_sets"):
        return "Nothing to compare with: mark a dataset or a version as an evaluation set first."
    if check == Check.LEAK and not summary.get("heldout"):
        return "No example would be held out, so none can leak."
    return ""


def _quality(summary: Mapping[str, Any], counts: Mapping[str, int]) -> Verdict:
    faults = sum(counts.get(one, 0) for one in (Check.REFUSAL, Check.EMPTY, Check.PRIVATE))
    share = faults / max(1, summary["examples"])
    if not faults:
        return Verdict("Quality", "good", "clean", "No refusals, empty answers or personal data.")
    tone, word = ("bad", "poor") if share > 0.05 else ("warn", "some faults")
    return Verdict(
        "Quality",
        tone,
        word,
        f"{faults:,} faults in {summary['examples']:,} examples ({share:.1%}): refusals, empty "
        "answers and personal data. A model copies what it sees; mend them first.",
    )


def _diversity(summary: Mapping[str, Any]) -> Verdict:
    share = summary["distinct"] / max(1, summary["examples"])
    variety = summary["variety"]
    told = f"{share:.0%} of the examples are unlike all others; {variety:.0%} of the wording is new"
    if share < ALIKE_SHARE:
        sentence = f"{told} each time. Drop the duplicates: they add weight, not knowledge."
        return Verdict("Diversity", "bad" if share < 0.5 else "warn", "repetitive", sentence)
    if variety < LITTLE_VARIETY:
        sentence = f"{told} each time. That is right for one narrow task, and for nothing else."
        return Verdict("Diversity", "warn", "narrow", sentence)
    word = "varied" if variety > SOME_VARIETY else "fair"
    return Verdict("Diversity", "good", word, f"{told} each time.")


def _real(summary: Mapping[str, Any]) -> Verdict:
    made = summary["provenance"]
    generated = sum(made.get(one, 0) for one in GENERATED)
    share = 1 - generated / max(1, summary["examples"])
    told = f"{share:.0%} of the examples come from people and production"
    if share >= 0.5:
        return Verdict("Real over generated", "good", "mostly real", f"{told}.")
    sentence = f"{told}; the rest was written by a model. Mix real ones in."
    return Verdict("Real over generated", "warn", "mostly generated", sentence)


def _amount(summary: Mapping[str, Any]) -> Verdict:
    many = summary["distinct"]
    for most, tone, word, sentence in _AMOUNTS:
        if many < most:
            return Verdict("Amount", tone, word, f"{many:,} different examples. {sentence}")
    return Verdict("Amount", "good", "plenty", f"{many:,} different examples. {_PLENTY}")


_AMOUNTS: Sequence[tuple[int, str, str, str]] = (
    (FEW, "bad", "too few", "A model would learn them by heart. Collect at least fifty."),
    (SOME, "warn", "few", "Enough for a first try on one narrow task. Aim for a thousand."),
    (MANY, "warn", "fair", "Enough for one task. About a thousand is where small models get sure."),
)
_PLENTY = "Better ones now help more than more of them."
