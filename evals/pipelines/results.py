"""What comes of a run: examples, preference pairs, corrections or scores of the source requests.

Every way may be done again without doing anything twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec
from django.db import transaction

from evals.pipelines.models import Call, Cell, HumanTask, Row, Run
from evals.pipelines.steps.grading import message_of, text_of
from prompts.rendering import mustache
from prompts.rendering.problems import BadTemplate
from requests_log.datasets.canonical import BadRow, ReadyExample, read_row
from requests_log.datasets.models import Dataset, Example
from requests_log.datasets.storing import Incoming, store
from requests_log.datasets.tags import read_tags, written
from requests_log.feedback.correcting import NothingChanged, correct_answer, read_message
from requests_log.feedback.scoring import ScoreExists, read_opinion, read_source, record_score
from requests_log.tagging import MAX_VALUE, read_tagging
from workbench.core.errors import DomainError, InvalidInput, NotFound
from workbench.core.models import User

CHUNK = 200
DATASET, PAIRS, CORRECTIONS, SCORES = WAYS = ("dataset", "pairs", "corrections", "scores")
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Wanted:
    """What to make: `answer` is the step (or column) that holds the answer, score, or best-of.

    `question` is a step or column that is asked in the example; left out, the row's messages or
    those that were sent. `dataset` is where examples go, `name` what scores are called. `tags` are
    what examples are tagged with; their values may hold {{variables}} of the row.
    """

    to: str
    answer: str
    question: str = ""
    dataset: UUID | None = None
    name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finished:
    """A row that went through all steps, with its values and the messages that were sent."""

    row: Row
    values: Mapping[str, Any]
    sent: Mapping[str, Sequence[Mapping[str, Any]]]

    def messages(self, question: str) -> list[dict[str, Any]]:
        """What is asked in an example of it."""
        if question:
            return [{"role": "user", "content": text_of(self.values.get(question))}]
        own = self.row.variables.get("messages") or next(iter(self.sent.values()), [])
        return [dict(message) for message in own]


def check_wanted(run: Run, wanted: Wanted) -> None:
    """
    Raises:
        InvalidInput: there is no such way, or no such step or column.
    """
    if wanted.to not in WAYS:
        raise InvalidInput(f"to must be one of: {', '.join(WAYS)}.")
    first = Row.objects.of_run(run).order_by("-position").first()
    known = [*(step["name"] for step in run.definition.steps), *(first.variables if first else [])]
    for name in (wanted.answer, wanted.question):
        if name and name not in known:
            raise InvalidInput(f"There is no step or column “{name}”. There are: {_listed(known)}.")
    if wanted.to in (DATASET, PAIRS) and wanted.dataset is None:
        raise InvalidInput("dataset: say which dataset the examples go to.")
    _check_tags(wanted.tags, known)


def _check_tags(tags: Mapping[str, str], known: Sequence[str]) -> None:
    """
    Raises:
        InvalidInput: a tag is none, or takes a variable that there is not.
    """
    for name, value in read_tags(written(*tag) for tag in tags.items()).items():
        try:
            taken = [path.partition(".")[0] for path in mustache.paths_in(value)]
        except BadTemplate as problem:
            raise InvalidInput(f"The tag “{name}”: {problem.sentence}") from problem
        if unknown := sorted(set(taken) - set(known)):
            raise InvalidInput(
                f"The tag “{name}” takes “{unknown[0]}”, which no step or column is called. "
                f"There are: {_listed(known)}."
            )


def make_results(
    run: Run, wanted: Wanted, *, by: User | None, at: datetime, progress: Progress
) -> dict[str, int]:
    """Make them of every finished row, some hundred at a time; counts what became of the rows."""
    make = _makers(run, wanted, by, at)
    counts: Counter[str] = Counter()
    for chunk in finished_rows(run):
        with transaction.atomic():
            counts.update(make(chunk))
        progress(sum(counts.values()))
    return dict(counts)


def finished_rows(run: Run) -> Iterator[list[Finished]]:
    """Rows that went through all steps, in order; those that became other rows are not among
    them."""
    names = [step["name"] for step in run.definition.steps]
    after = -1
    done = Row.objects.of_run(run).filter(state=Row.State.DONE)
    while rows := list(done.after(after)[:CHUNK]):
        after = rows[-1].position
        cells: defaultdict[int, list[Cell]] = defaultdict(list)
        for cell in Cell.objects.filter(row__in=rows, state=Cell.State.DONE).order_by("step"):
            cells[cell.row_id].append(cell)
        sent = _sent([cell for found in cells.values() for cell in found])
        yield [
            _finished(row, cells[row.pk], names, sent)
            for row in rows
            if any(cell.step == len(names) - 1 for cell in cells[row.pk])
        ]


def _finished(
    row: Row, cells: Sequence[Cell], names: Sequence[str], sent: Mapping[UUID, Any]
) -> Finished:
    values = {names[cell.step]: cell.value for cell in cells}
    asked = {names[cell.step]: sent[cell.calls[0]] for cell in cells if cell.calls}
    return Finished(row, {**row.variables, **values}, asked)


def _sent(cells: Sequence[Cell]) -> dict[UUID, Any]:
    """The messages of the first call that each cell rests on."""
    ids = [cell.calls[0] for cell in cells if cell.calls]
    found = Call.objects.filter(pk__in=ids).values_list("pk", "request")
    return {pk: msgspec.json.decode(bytes(request))["messages"] for pk, request in found}


def _makers(
    run: Run, wanted: Wanted, by: User | None, at: datetime
) -> Callable[[Sequence[Finished]], Counter[str]]:
    if wanted.to == CORRECTIONS:
        return lambda chunk: Counter(_correct(run, one, wanted, by, at) for one in chunk)
    if wanted.to == SCORES:
        return lambda chunk: Counter(_score(run, one, wanted, at) for one in chunk)
    dataset = Dataset.objects.in_project(run.project).filter(pk__in=[wanted.dataset]).first()
    if dataset is None:
        raise NotFound("The dataset is gone. Choose another one.")
    names = [step["name"] for step in run.definition.steps]
    return lambda chunk: _add(dataset, chunk, wanted, _by_hand(chunk, names, wanted.answer))


def _by_hand(chunk: Sequence[Finished], names: Sequence[str], answer: str) -> set[int]:
    """The rows whose answer a person wrote or changed."""
    if answer not in names:
        return set()
    written = HumanTask.objects.filter(
        row__in=[one.row.pk for one in chunk],
        step=names.index(answer),
        outcome=HumanTask.Outcome.WRITTEN,
    )
    return set(written.values_list("row_id", flat=True))


def _add(
    dataset: Dataset, chunk: Sequence[Finished], wanted: Wanted, by_hand: Collection[int]
) -> Counter[str]:
    counts: Counter[str] = Counter()
    incoming = []
    for one in chunk:
        try:
            example = _example(one, wanted)
        except BadRow as problem:
            counts[problem.code] += 1
            continue
        made = Example.Provenance.HUMAN if one.row.pk in by_hand else Example.Provenance.TEACHER
        incoming.append(
            Incoming(example, made, one.row.request_id, tags=_tags(wanted.tags, one.values))
        )
    added = store(dataset, incoming)
    return counts + Counter(added=added, duplicates=len(incoming) - added)


def _example(one: Finished, wanted: Wanted) -> ReadyExample:
    answer = one.values.get(wanted.answer)
    is_choice = isinstance(answer, dict) and {"best", "worst"} <= set(answer)
    best = answer["best"] if is_choice and answer else answer
    row: dict[str, Any] = {"messages": [*one.messages(wanted.question), message_of(best)]}
    if one.values.get("tools") and not wanted.question:
        row["tools"] = one.values["tools"]
    if wanted.to == PAIRS:
        if not is_choice or not answer:
            raise BadRow("no_pair", f"{wanted.answer} holds no best and worst answer.")
        row["rejected"] = message_of(answer["worst"])
    return read_row(row)


def _tags(tags: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, str]:
    """The tags of one row; a value that the row does not hold leaves its tag out."""
    found: dict[str, str] = {}
    for name, value in tags.items():
        if not mustache.missing_in(value, values):
            found[name] = read_tagging(name, mustache.render(value, values)[:MAX_VALUE]).value or ""
    return found


def _correct(run: Run, one: Finished, wanted: Wanted, by: User | None, at: datetime) -> str:
    if one.row.request_id is None:
        return "without_request"
    answer = one.values.get(wanted.answer)
    if isinstance(answer, dict) and "best" in answer:
        answer = answer["best"]
    try:
        correct_answer(
            run.project, one.row.request_id, answer=read_message(message_of(answer)), by=by, at=at,
            note=f"Pipeline “{run.pipeline.name}”, step {wanted.answer}",
        )  # fmt: skip
    except NothingChanged:
        return "unchanged"
    except DomainError as problem:
        return problem.code
    return "corrected"


def _score(run: Run, one: Finished, wanted: Wanted, at: datetime) -> str:
    if one.row.request_id is None:
        return "without_request"
    value = one.values.get(wanted.answer)
    if isinstance(value, dict):
        value = value.get("score")
    try:
        record_score(
            run.project,
            subject=one.row.request_id,
            opinion=read_opinion(wanted.name or wanted.answer, value),
            source=read_source("code", f"pipeline {run.pipeline.name}"),
            at=at,
            id_=uuid5(run.pk, f"{one.row.pk}/{wanted.answer}"),
        )
    except ScoreExists:
        return "unchanged"
    except DomainError as problem:
        return problem.code
    return "scored"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)
