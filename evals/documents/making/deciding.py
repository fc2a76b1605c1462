"""What people do with pairs: keep, drop, change, add to a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from evals.documents.models import Making, Pair
from requests_log.datasets.canonical import ReadyExample, ready
from requests_log.datasets.models import Dataset, Example
from requests_log.datasets.storing import CHUNK, Incoming, store
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import User

LONGEST = 100_000


class NothingKept(DomainError):
    """No pair is left to add."""

    code = "nothing_kept"


@dataclass(frozen=True)
class Taken:
    """What became of the pairs: new in the dataset, or there already."""

    added: int
    duplicates: int


def decide(pair: Pair, *, decision: str, by: User | None, at: datetime) -> Pair:
    """Keep or drop a pair whatever was judged of it; "" leaves it to the verdict again.

    Raises:
        InvalidInput: it is no decision.
    """
    if decision not in ("", *Pair.Decision.values):
        raise InvalidInput("decision must be keep, drop, or empty.")
    pair.decision, pair.decided_by, pair.decided_at = decision, by, at
    pair.save(update_fields=["decision", "decided_by", "decided_at"])
    return pair


def change(pair: Pair, *, question: str, answer: str, by: User | None, at: datetime) -> Pair:
    """Say it in other words; what the teacher wrote stays with it. A changed pair is kept, and
    what the judge said of the old words is no verdict on the new ones.

    Raises:
        InvalidInput: there is no question or no answer, or it is too long.
    """
    question, answer = question.strip(), answer.strip()
    if not question or not answer:
        raise InvalidInput("A pair needs a question and an answer. To be rid of it, drop it.")
    if len(question) + len(answer) > LONGEST or "\x00" in question + answer:
        raise InvalidInput(f"A pair has at most {LONGEST:,} letters, and no NUL.")
    if not pair.is_edited:
        pair.first_question, pair.first_answer = pair.question, pair.answer
    if (pair.question, pair.answer) != (question, answer):
        pair.verdict, pair.reason = Pair.Verdict.EDITED, ""
    pair.question, pair.answer = question, answer
    pair.save(
        update_fields=[
            "question", "answer", "first_question", "first_answer", "verdict", "reason",
        ]
    )  # fmt: skip
    return decide(pair, decision=Pair.Decision.KEEP, by=by, at=at)


def add_to_dataset(making: Making, *, dataset: Dataset) -> Taken:
    """The kept pairs as examples of a teacher. Pairs of one chunk are a group, which a split never
    tears apart; each pair remembers the example it became.

    Raises:
        NothingKept: none is kept.
    """
    kept = making.pairs.kept().in_order()
    whole = added = 0
    with transaction.atomic():
        for some in _batches(kept):
            examples = [_example(making, pair) for pair in some]
            added += store(
                dataset, [_incoming(pair, one) for pair, one in zip(some, examples, strict=True)]
            )
            _remember(dataset, some, examples)
            whole += len(some)
    if not whole:
        raise NothingKept("No pair is kept, so there is nothing to add.")
    return Taken(added, whole - added)


def _batches(pairs: QuerySet[Pair]) -> Sequence[list[Pair]]:
    found = list(pairs)
    return [found[start : start + CHUNK] for start in range(0, len(found), CHUNK)]


def _example(making: Making, pair: Pair) -> ReadyExample:
    group = f"document {making.collection_id} {pair.document} {pair.start}"
    said = [("user", pair.question), ("assistant", pair.answer)]
    return ready([{"role": role, "content": text} for role, text in said], group=group)


def _incoming(pair: Pair, example: ReadyExample) -> Incoming:
    by_hand = pair.is_edited
    made = Example.Provenance.HUMAN if by_hand else Example.Provenance.TEACHER
    return Incoming(example, made)


def _remember(dataset: Dataset, pairs: list[Pair], examples: list[ReadyExample]) -> None:
    hashes = [one.sha256 for one in examples]
    rows = Example.objects.in_dataset(dataset).filter(content__sha256__in=hashes)
    ids = {bytes(sha): pk for pk, sha in rows.values_list("pk", "content__sha256")}
    for pair, example in zip(pairs, examples, strict=True):
        pair.dataset, pair.example_id = dataset, ids.get(example.sha256)
    Pair.objects.bulk_update(pairs, ["dataset", "example"], batch_size=CHUNK)
