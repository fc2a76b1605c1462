"""One look at a whole dataset: every check over every example, in two passes of bounded memory.

The held-out side is read first, so that the training side can be compared with it while it is
read; near duplicates are then told from the signatures that were collected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from requests_log.datasets.hygiene.alike import SKETCH, Alike, Overlaps, equal_rows
from requests_log.datasets.hygiene.models import Check
from requests_log.datasets.hygiene.private import private_in
from requests_log.datasets.hygiene.reading import (
    Fact,
    Marked,
    Short,
    SnippetReader,
    read_texts,
)
from requests_log.datasets.hygiene.refusals import refuses
from requests_log.datasets.hygiene.shingles import (
    BANDS,
    Commonness,
    Hashes,
    band_keys,
    without,
)
from requests_log.datasets.hygiene.texts import Texts
from requests_log.datasets.measuring import Ruler
from requests_log.datasets.quality import SHORT_ANSWER
from requests_log.redaction.rules import Ruleset

SAMPLE = 2_000
"""Examples that tell the template of a dataset."""
HELD = 0.8
"""Share of a question's snippets that a training example holds when it gives the question away."""
FEWEST_SNIPPETS = 20
"""A question with fewer snippets of its own counts as met only when it is the same."""
SKEW_OF_LABELS, SKEW_OF_PROSE, FEWEST_SKEWED = 0.5, 0.05, 10
LABELS_FROM = 0.8
"""Share of short answers from which the answers are labels (as `quality.has_labels`)."""
Progress = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A finding on the way to the database; `place` is the example's."""

    check: str
    place: int
    cluster: int = 0
    keep: bool = False
    note: str = ""


@dataclass(frozen=True)
class Questions:
    """Held-out or evaluation questions that no training example may hold."""

    names: Sequence[str]
    by_hash: dict[bytes, int]
    overlaps: Overlaps

    @classmethod
    def of(cls, found: Iterable[tuple[str, Texts]], common: Hashes) -> Questions:
        names: list[str] = []
        by_hash: dict[bytes, int] = {}
        sets: list[Hashes] = []
        for name, texts in found:
            own = without(texts.prompt_snippets(), common)
            own = own[:SKETCH].copy() if len(own) >= FEWEST_SNIPPETS else own[:0]
            first = by_hash.setdefault(texts.prompt_hash, len(names))
            if first == len(names) or not np.array_equal(sets[first], own):
                names.append(name)
                sets.append(own)
        return cls(names, by_hash, Overlaps(sets, HELD))

    def met_in(self, texts: Texts, whole: Hashes) -> tuple[int, float] | None:
        """The question that the example gives away, and how much of it."""
        if texts.prompt_hash in self.by_hash:
            return self.by_hash[texts.prompt_hash], 1.0
        return self.overlaps.best(whole)


@dataclass
class Examination:
    """What is asked of a dataset, and what was found so far."""

    facts: Sequence[Fact]
    threshold: int
    ruleset: Ruleset
    ruler: Ruler | None
    marked: Sequence[Marked]
    alike: float
    progress: Progress
    found: list[Found] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    variety: float = 1.0
    _short: int = 0
    _seen: int = 0

    def run(self) -> None:
        """Do every check. `progress` hears how many examples were read."""
        commonness = Commonness(self._sampled())
        self.variety = commonness.variety
        self._keys = np.zeros((len(self.facts), BANDS), dtype=np.uint64)
        self._is_distinct = np.zeros(len(self.facts), dtype=bool)
        self._wholes = np.zeros(len(self.facts), dtype="S16")
        self._answers = np.zeros(len(self.facts), dtype="S16")
        with SnippetReader(self.facts, commonness.common) as self._snippets:
            self._read(commonness.common)
            self._duplicates()
        self._skewed()

    def _read(self, common: Hashes) -> None:
        """Every example once; the held-out ones first, as the others are searched for them."""
        evaluation = Questions.of(self._evaluation(), common)
        held = Questions.of(self._heldout(common), common)
        train = [fact for fact in self.facts if not fact.is_heldout(self.threshold)]
        for at, payload in read_texts(train):
            texts = Texts.of(payload)
            whole = self._look(train[at], payload, texts, common)
            self._note_overlap(Check.LEAK, train[at], held.met_in(texts, whole), held)
            met = evaluation.met_in(texts, whole)
            self._note_overlap(Check.CONTAMINATION, train[at], met, evaluation)

    def summary(self) -> dict[str, Any]:
        """Counts for the pictures and the verdicts."""
        heldout = sum(fact.is_heldout(self.threshold) for fact in self.facts)
        doubled = {
            one.place
            for one in self.found
            if one.check in {Check.EXACT, Check.NEAR} and not one.keep
        }
        return {
            "examples": len(self.facts),
            "heldout": heldout,
            "provenance": dict(Counter(fact.provenance for fact in self.facts)),
            "distinct": len(self.facts) - len(doubled),
            "variety": round(self.variety, 4),
            "lengths": length_summary(self.tokens, self.ruler) if self.ruler else None,
            "newest": str(self.facts[-1].id) if self.facts else "",
        }

    def _sampled(self) -> Any:
        step = max(1, len(self.facts) // SAMPLE)
        for _, payload in read_texts(self.facts[::step]):
            yield Texts.of(payload).snippets()

    def _evaluation(self) -> Iterator[tuple[str, Texts]]:
        for at, payload in read_texts(self.marked):
            yield self.marked[at].name, Texts.of(payload)

    def _heldout(self, common: Hashes) -> Iterator[tuple[str, Texts]]:
        """The held-out questions; their examples are looked at on the way."""
        heldout = [fact for fact in self.facts if fact.is_heldout(self.threshold)]
        for at, payload in read_texts(heldout):
            texts = Texts.of(payload)
            self._look(heldout[at], payload, texts, common)
            yield f"held-out example {heldout[at].place + 1:,}", texts

    def _look(self, fact: Fact, payload: bytes, texts: Texts, common: Hashes) -> Hashes:
        """The checks that need no other example; returns its distinctive snippets."""
        place = fact.place
        self._wholes[place] = texts.whole_hash
        whole = without(texts.snippets(), common)
        if len(whole):
            self._keys[place], self._is_distinct[place] = band_keys(whole), True
            self._snippets.add(place, whole)
        if texts.is_answered:
            self._look_at_answer(place, texts)
        if (private := private_in(payload, self.ruleset)) is not None:
            self._add(Check.PRIVATE, place, note=private.note)
        self._seen += 1
        if self._seen % 100 == 0:
            self.progress(self._seen, "")
        return whole

    def _look_at_answer(self, place: int, texts: Texts) -> None:
        self._answers[place] = texts.answer_hash
        self._short += len(texts.answer) <= SHORT_ANSWER
        if texts.says_nothing:
            self._add(Check.EMPTY, place, note=f"“{texts.answer.strip()[:60]}”")
        if refuses(texts.answer):
            self._add(Check.REFUSAL, place)
        self._measure(place, texts)

    def _measure(self, place: int, texts: Texts) -> None:
        if self.ruler is None:
            return
        length = self.ruler.measure({"messages": texts.messages, "tools": texts.tools})
        self.tokens.append(length.tokens)
        if length.problem:
            self._add(Check.LENGTH, place, note=length.problem)
        elif self.ruler.context and length.tokens > self.ruler.context:
            note = f"{length.tokens:,} tokens; {self.ruler.name} reads {self.ruler.context:,}"
            self._add(Check.LENGTH, place, note=note)

    def _note_overlap(
        self, check: str, fact: Fact, met: tuple[int, float] | None, questions: Questions
    ) -> None:
        if met is None:
            return
        row, share = met
        how = "asks the same as" if share >= 1 else f"holds {share:.0%} of"
        self._add(check, fact.place, note=f"{how} {questions.names[row]}")

    def _duplicates(self) -> None:
        """Exact ones by hash; near ones among the first of each, by signature, then exactly."""
        for cluster, places in enumerate(_repeated(self._wholes)):
            self._add_group(Check.EXACT, cluster, places, [""] * len(places))
            self._is_distinct[places[1:]] = False
        rows = np.flatnonzero(self._is_distinct)

        def of_rows(chosen: Sequence[int]) -> Sequence[Short]:
            return self._snippets(rows[chosen].tolist())

        def beat() -> None:
            self.progress(self._seen, "comparing what is alike")

        alike = Alike(self._snippets.sizes[rows], of_rows, self.alike, beat)
        for cluster, group in enumerate(alike.groups(self._keys[rows])):
            notes = ["", *(f"{share:.0%} like the first" for share in alike.to_first(group))]
            self._add_group(Check.NEAR, cluster, rows[group].tolist(), notes)

    def _skewed(self) -> None:
        """An answer that makes up half of the labels, or a text given again and again."""
        labels = self._short >= LABELS_FROM * len(self.facts)
        share = SKEW_OF_LABELS if labels else SKEW_OF_PROSE
        most = [
            places
            for places in _repeated(self._answers, FEWEST_SKEWED)
            if len(places) > share * len(self.facts)
        ]
        for cluster, places in enumerate(sorted(most, key=lambda one: (-len(one), one))):
            rest = len(self.facts) - len(places) if labels else 1
            note = f"given {len(places):,} times"
            self._add_group(Check.SKEW, cluster, places, [note] * len(places), kept=max(1, rest))

    def _add(self, check: str, place: int, *, note: str = "") -> None:
        self.found.append(Found(check, place, note=note[:300]))

    def _add_group(
        self, check: str, cluster: int, places: Sequence[int], notes: Sequence[str], kept: int = 1
    ) -> None:
        for at, (place, note) in enumerate(zip(places, notes, strict=True)):
            self.found.append(Found(check, place, cluster, at < kept, note))


def length_summary(tokens: Sequence[int], ruler: Ruler) -> dict[str, Any]:
    """Token lengths as a histogram whose bins double, and how many do not fit."""
    sizes = np.array(tokens or [0])
    powers = np.ceil(np.log2(np.maximum(sizes, 16))).astype(int)
    counts = Counter(int(power) for power in powers)
    first = min(counts)
    return {
        "base_model": ruler.name,
        "context": ruler.context,
        "median": int(np.median(sizes)),
        "longest": int(sizes.max()),
        "over": int((sizes > ruler.context).sum()) if ruler.context else 0,
        "bins": [
            [0 if power == first else 2 ** (power - 1) + 1, 2**power, counts.get(power, 0)]
            for power in range(first, max(counts) + 1)
        ],
    }


def _repeated(hashes: NDArray[np.bytes_], least: int = 2) -> list[list[int]]:
    """Groups of places with the same hash, each in order, by their first."""
    places = np.flatnonzero(hashes != b"")
    return [places[rows].tolist() for rows in equal_rows(hashes[places], least)]
