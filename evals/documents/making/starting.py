"""Starting the run that makes pairs, what it will cost, and one chunk tried before it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from django.db import transaction

from evals.documents.asking import AS_TEXT, MOST_PAIRS, SYSTEM, checked_prompt
from evals.documents.chunks import Chunk
from evals.documents.judged import judge_of
from evals.documents.models import DocumentSet, Making
from evals.documents.registered import registered
from evals.documents.steps import (
    GENERATE,
    SPLIT,
    SUPPORT,
    asked,
    chunk_of,
    outcome_of,
    row_of,
    text_of,
)
from evals.pipelines.actions import NameTaken, Source, create_pipeline, start_run
from evals.pipelines.definition import read_steps
from evals.pipelines.estimating import Estimate, estimate
from evals.pipelines.models import Pipeline
from evals.pipelines.sources import MOST_SENT_ROWS
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project, User
from workbench.providers.chat import ChatCaller
from workbench.providers.refs import Endpoint, resolve

SECTION_TIMES = 4
"""A section that is split by topic is so many times as large as a chunk."""
MOST_NAMES = 200
TRY_SECONDS = 60.0


class NothingToAsk(DomainError):
    """There is no chunk to ask about."""

    code = "nothing_to_ask"


@dataclass(frozen=True)
class Asking:
    """What is asked of whom.

    Pairs are checked by the model `judge` with our question, or by the judge of the project whose
    version's id is `judge_version`; without either they are not. `prompt` is a ref of the registry
    and stands for `system` and `user`. `by_topic` lets the teacher split long sections first.
    """

    teacher: str
    judge: str = ""
    count: int = 5
    system: str = SYSTEM
    user: str = AS_TEXT
    by_topic: bool = False
    judge_version: str = ""
    prompt: str = ""


def start_pairs(
    found: DocumentSet, *, asking: Asking, by: User | None, budget: Decimal | None = None
) -> Making:
    """Start the pipeline that makes pairs of all chunks.

    Raises:
        InvalidInput: a model, the prompt, the number of pairs or the budget makes no sense.
        NothingToAsk: no document could be read, or not yet.
    """
    asking = resolved(found.project, asking)
    steps, source = steps_of(found, asking), source_of(found, asking)
    with transaction.atomic():
        pipeline = _pipeline(found, steps, by)
        run = start_run(pipeline, source=source, by=by, budget=budget)
        return Making.objects.create(
            collection=found,
            run=run,
            teacher=asking.teacher,
            judge=judge_name(found.project, asking),
            settings=asdict(asking) | asdict(found.cutting),
        )


def priced(found: DocumentSet, asking: Asking) -> Estimate:
    """What it will cost at most. A judge is reckoned to be asked about every pair wished for, and
    a section that is split by topic to become as many chunks as its structure makes of it.

    Raises:
        InvalidInput, NothingToAsk: as `start_pairs`.
    """
    steps = read_steps(steps_of(found, resolved(found.project, asking)))
    return estimate(found.project, steps, source_of(found, asking))


def resolved(project: Project, asking: Asking) -> Asking:
    """With what the prompt of the registry says now, if one is named.

    Raises:
        NotFound, InvalidInput: there is none, or it cannot be asked about a chunk.
    """
    if not asking.prompt:
        return asking
    named, prompt = registered(project, asking.prompt)
    return replace(asking, prompt=named, system=prompt.system, user=prompt.user)


def judge_name(project: Project, asking: Asking) -> str:
    """Who checks the pairs, in words."""
    if not asking.judge_version:
        return asking.judge
    version = judge_of(project, asking.judge_version)
    return f"{version} ({version.model_ref})"


def steps_of(found: DocumentSet, asking: Asking) -> list[dict[str, Any]]:
    """The pipeline's steps.

    Raises:
        InvalidInput: the prompt or the number of pairs makes no sense.
    """
    checked_prompt(asking.system, asking.user)
    if not 1 <= asking.count <= MOST_PAIRS:
        raise InvalidInput(f"Ask for 1 to {MOST_PAIRS} pairs per chunk.")
    if not asking.teacher:
        raise InvalidInput("Choose the teacher: the model that writes the pairs.")
    split = {"model": asking.teacher, **asdict(found.cutting)}
    generate = {
        "model": asking.teacher,
        "count": asking.count,
        "system": asking.system,
        "user": asking.user,
    }
    steps = [{"name": SPLIT, "kind": SPLIT, "settings": split}] if asking.by_topic else []
    steps.append({"name": GENERATE, "kind": GENERATE, "settings": generate})
    if asking.judge_version:
        judged = {"judge": asking.judge_version}
        steps.append({"name": SUPPORT, "kind": SUPPORT, "settings": judged})
    elif asking.judge:
        steps.append({"name": SUPPORT, "kind": SUPPORT, "settings": {"model": asking.judge}})
    return steps


def source_of(found: DocumentSet, asking: Asking) -> Source:
    """Every chunk as a row; whole sections where the teacher splits them by topic.

    Raises:
        NothingToAsk: there is none.
        InvalidInput: there are too many.
    """
    rows = [
        row_of(name, place, chunk) for place, (name, chunk) in enumerate(_chunks(found, asking), 1)
    ]
    if not rows:
        why = "are still being read" if found.is_reading else "hold no text"
        raise NothingToAsk(f"The documents {why}, so there is nothing to ask about.")
    if len(rows) > MOST_SENT_ROWS:
        raise InvalidInput(f"These are more than {MOST_SENT_ROWS:,} chunks. Make them larger.")
    return Source.of_rows(rows, found.name)


def first_chunk(found: DocumentSet, number: int = 1) -> tuple[str, Chunk]:
    """A chunk by its number, and the name of its document.

    Raises:
        NothingToAsk: there is no such chunk.
    """
    for place, one in enumerate(_chunks(found, Asking("")), 1):
        if place == number:
            return one
    raise NothingToAsk("There is no such chunk. Choose one of the numbers in the list.")


def tried(found: DocumentSet, asking: Asking, number: int = 1) -> Mapping[str, Any]:
    """Ask the teacher about one chunk, now: `pairs`, `dropped`, `answer`, `chunk`, `messages`.

    Raises:
        InvalidInput, NothingToAsk: as `start_pairs`.
        ModelRefused, UnknownModel: the teacher cannot be asked.
    """
    asking = resolved(found.project, asking)
    steps_of(found, asking)
    name, chunk = first_chunk(found, number)
    columns = row_of(name, number, chunk)
    prompt = checked_prompt(asking.system, asking.user)
    messages = asked(prompt, columns, asking.count)
    endpoint = resolve(found.project, asking.teacher)
    reply, is_cut = asyncio.run(_answer(endpoint, messages))
    outcome = outcome_of(reply, was_cut=is_cut)
    return {
        "messages": messages,
        "answer": reply,
        "pairs": list(outcome.children or ()),
        "dropped": outcome.value["dropped"],
        "chunk": chunk_of(columns),
        "document": name,
    }


async def _answer(endpoint: Endpoint, messages: list[dict[str, str]]) -> tuple[str, bool]:
    async with ChatCaller(endpoint, seconds=TRY_SECONDS) as caller:
        reply = await caller.ask_once(messages, max_tokens=4_000, temperature=0.3)
    return text_of(reply), reply.finish_reason == "length"


def _chunks(found: DocumentSet, asking: Asking) -> Iterator[tuple[str, Chunk]]:
    cutting = found.cutting
    if asking.by_topic:
        target = cutting.target * SECTION_TIMES
        cutting = type(cutting)(target, max(target, cutting.most), cutting.overlap)
    for document in found.documents.readable().iterator(chunk_size=1):
        for chunk in document.chunks(cutting):
            yield document.name, chunk


def _pipeline(found: DocumentSet, steps: list[dict[str, Any]], by: User | None) -> Pipeline:
    """A pipeline of its own, so that it can be looked at and done again."""
    for number in range(1, MOST_NAMES):
        name = f"Pairs of {found.name}"[:110] + (f" {number}" if number > 1 else "")
        try:
            with transaction.atomic():
                return create_pipeline(found.project, name=name, steps=steps, by=by)
        except NameTaken:
            continue
    raise InvalidInput("There are too many pipelines for these documents. Delete some first.")
