"""Examples whose request was corrected since they were made: taking the new answer over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction
from django.utils import timezone

from requests_log.datasets.canonical import BadRow, Message, read_row
from requests_log.datasets.editing import (
    NothingChanged,
    content_of,
    lock_example,
    replace_content,
)
from requests_log.datasets.harvest import read_requests
from requests_log.datasets.models import Dataset, Example
from requests_log.feedback.models import NewestCorrection
from requests_log.inspecting import answer_words
from requests_log.models import Correction
from workbench.core.errors import DomainError, InvalidInput, NotFound
from workbench.core.models import Job, User
from workbench.core.queue import JobKind, RunningJob
from workbench.core.worddiff import Piece, word_diff

AT_ONCE = 1_000
"""Examples that are changed while the person waits; more become a job."""
CHUNK = 200
TAKE_CORRECTIONS = JobKind("datasets.take_corrections")


@dataclass(frozen=True)
class TakenOver:
    """How many examples have the new answer now, and how many were left as they are, because the
    dataset holds the same already or their request is gone; or the job that does it."""

    changed: int = 0
    left: int = 0
    job: Job | None = None

    @property
    def sentence(self) -> str:
        if self.job is not None:
            return "The corrections are taken over in the background."
        changed = f"{self.changed:,} example{'' if self.changed == 1 else 's'} corrected."
        if not self.left:
            return f"{changed} Frozen versions keep what they have."
        return f"{changed} {self.left:,} left: open them to see why."


def newer_answer(example: Example) -> Message:
    """The answer of the example's request that is in force, if it was corrected since.

    Raises:
        NothingChanged: it was not.
        NotFound: the logged answer stands again, and it is no longer in the log.
    """
    newest = _newest(example)
    if newest is None or newest.number <= (example.correction or 0):
        raise NothingChanged("The request was not corrected since.")
    return _logged_answer(example) if newest.answer is None else newest.answer


def newer_words(example: Example) -> list[Piece]:
    """What a correction made since changes of the example's answer, word by word."""
    try:
        after = newer_answer(example)
    except DomainError:
        return []
    messages = example.content.body.get("messages") or [{}]
    return word_diff(answer_words(messages[-1]), answer_words(after))


def take_correction(example: Example, *, by: User | None, at: datetime) -> Example:
    """Give an example the answer of its request that is in force; what was asked stays as it is.

    What the example was stays beside it, and frozen versions keep what they have.

    Raises:
        NothingChanged: the request was not corrected since.
        NotFound: the logged answer stands again, and it is no longer in the log.
        InvalidInput: the new answer is the one that was rejected.
        ThereAlready: the dataset holds the corrected conversation as another example.
    """
    with transaction.atomic():
        found = lock_example(example)
        body, newest = found.content.body, _newest(found)
        row = body | {"messages": [*body["messages"][:-1], newer_answer(found)]}
        try:
            content = content_of(found.dataset, read_row(row))
        except BadRow as bad:
            raise InvalidInput(bad.sentence, code=bad.code) from bad
        if content.pk == found.content_id:  # somebody wrote the same into it
            found.correction = newest.number if newest else None
            found.save(update_fields=["correction"])
            return found
        is_corrected = newest is not None and newest.answer is not None
        provenance = Example.Provenance.HUMAN if is_corrected else Example.Provenance.PRODUCTION
        return replace_content(found, content, bytes(found.fingerprint), provenance, by=by, at=at)


def take_corrections(dataset: Dataset, *, by: User | None, at: datetime) -> TakenOver:
    """`take_correction` for every example of a dataset; beyond a thousand a job does it.

    Raises:
        NothingChanged: no request was corrected since.
    """
    many = Example.objects.in_dataset(dataset).corrected_since(dataset.project).count()
    if not many:
        raise NothingChanged("No request of this dataset was corrected since.")
    if many <= AT_ONCE:
        return _take_all(dataset, by=by, at=at)
    job = TAKE_CORRECTIONS.enqueue(
        project=dataset.project,
        title=f"Take corrections over into “{dataset}”"[:200],
        by=by,
        payload={"dataset": str(dataset.pk)},
        total=many,
    )
    return TakenOver(job=job)


@TAKE_CORRECTIONS.handler
def perform_taking(running: RunningJob) -> dict[str, Any]:
    """Take over what is left to be; what an earlier attempt did is not met again."""
    rows = Dataset.objects.select_related("project")
    dataset = rows.filter(pk=UUID(running.payload["dataset"])).first()
    if dataset is None:
        raise NotFound("The dataset is gone.")
    done = _take_all(dataset, by=running.job.created_by, at=timezone.now(), running=running)
    return {"changed": done.changed, "left": done.left}


def _take_all(
    dataset: Dataset, *, by: User | None, at: datetime, running: RunningJob | None = None
) -> TakenOver:
    made = TakenOver()
    for chunk in _chunks(dataset):
        for example in chunk:
            try:
                take_correction(example, by=by, at=at)
            except DomainError:
                made = replace(made, left=made.left + 1)
            else:
                made = replace(made, changed=made.changed + 1)
        if running is not None:
            running.progress(made.changed + made.left)
    return made


def _chunks(dataset: Dataset) -> Iterator[list[Example]]:
    """Examples to correct, by key: those that cannot be are met once."""
    rows = Example.objects.in_dataset(dataset).corrected_since(dataset.project).order_by("pk")
    chunk = list(rows[:CHUNK])
    while chunk:
        yield chunk
        chunk = list(rows.filter(pk__gt=chunk[-1].pk)[:CHUNK])


def _newest(example: Example) -> NewestCorrection | None:
    if example.request_id is None:
        return None
    newest = Correction.objects.newest(example.dataset.project_id, [example.request_id])
    return newest.get(example.request_id)


def _logged_answer(example: Example) -> Message:
    """The answer as it was logged, once its correction is withdrawn."""
    ids = [] if example.request_id is None else [example.request_id]
    runs = read_requests(example.dataset.project_id, ids, group_by=Dataset.GroupBy.PROMPT)
    for reading in (one for run in runs for one in run):
        if reading.example is not None:
            answer: Message = msgspec.json.decode(reading.example.payload)["messages"][-1]
            return answer
    raise NotFound(
        "The correction was withdrawn, and the logged answer is not there any more. Edit the "
        "example, or remove it."
    )
