"""Bulk actions on the generated log, beside the same work done by one bare statement.

A quarter of all requests are chosen: 500,000 of 2,000,000. One job tags all of them, is undone, and
one job adds all of them to a dataset. Beside them stand bare statements, committed like the jobs':

- *bare UPDATE*: sets a tag, nothing recorded, nothing to undo. The requests are cut into slices by
  time, and the slices take turns, one by the product's job, the next by the bare statement;
- *bare INSERT*: copies the contents and examples that the job made into another project's dataset,
  with the same tables, indexes and constraints; nothing is read, decompressed or hashed;
- *bare INSERT of examples alone*: a second dataset of the same contents, which shows what the
  contents cost (docs/adr/0017).

Then ingest over HTTP, alone and while a process beside it does bulk actions, which give way to it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Any

from tests.benchmarks import log_load
from tests.benchmarks.figures import figure

ROUNDS = 5
RATE = 50_000
INGEST_RATIO = 0.8
WAIT_SECONDS = 60

_UPDATE = """
UPDATE requests_log_tags t SET tags = t.tags || '{"quality": "good"}'
FROM requests_log_request r
WHERE r.project_id = %(project)s AND r.environment = 'bulk' AND t.project_id = r.project_id
    AND r.id >= %(since)s AND r.id < %(until)s AND t.id = r.id
    AND t.id >= %(since)s AND t.id < %(until)s AND NOT t.tags @> '{"quality": "good"}'
"""
# Another first digit makes new ids that are in the same order.
_INSERT = """
WITH given AS (
    SELECT c.*, e.id AS example, e.fingerprint, e.provenance, e.request_id
    FROM datasets_example e JOIN datasets_content c ON c.id = e.content_id
    WHERE e.dataset_id = %(from)s
), made AS (
    INSERT INTO datasets_content (project_id, sha256, payload, question, answer, turns,
                                  prompt_characters, answer_characters)
    SELECT %(project)s, sha256, payload, question, answer, turns, prompt_characters,
           answer_characters
    FROM given RETURNING id, sha256
)
INSERT INTO datasets_example (id, dataset_id, content_id, fingerprint, provenance, request_id)
SELECT overlay(given.example::text placing 'f' from 1)::uuid, %(to)s, made.id, fingerprint,
       provenance, request_id
FROM given JOIN made USING (sha256)
"""
_INSERT_EXAMPLES = """
INSERT INTO datasets_example (id, dataset_id, content_id, fingerprint, provenance, request_id)
SELECT overlay(id::text placing 'e' from 1)::uuid, %(to)s, content_id, fingerprint, provenance,
       request_id
FROM datasets_example WHERE dataset_id = %(from)s ORDER BY id
"""


@dataclass(frozen=True)
class Everything:
    """The requests of an environment."""

    environment: str

    @property
    def query(self) -> str:
        return f"environment:{self.environment}"

    @property
    def selection(self) -> Any:
        from requests_log.selection import Selection

        return Selection(at=datetime.now(UTC), query=self.query)


@dataclass(frozen=True)
class Slice(Everything):
    """The requests of an environment that were made from one moment up to another."""

    since: datetime
    until: datetime

    @property
    def query(self) -> str:
        since, until = (f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in (self.since, self.until))
        return f"{super().query} since:{since} until:{until}"


def slices(project: Any, environment: str, many: int) -> list[Slice]:
    """The whole log in slices of equal length."""
    from requests_log.models import RequestRow

    oldest = RequestRow.objects.in_project(project).order_by("id")[0].started_at
    first = oldest.replace(microsecond=0)
    length = timedelta(seconds=log_load.SPAN // timedelta(seconds=many))
    return [
        Slice(environment, first + length * number, first + length * (number + 1))
        for number in range(many)
    ]


def bulk_rates(project: Any) -> list[dict[str, Any]]:
    """Rows a second of tagging and of adding to a dataset, by their jobs and by bare statements."""
    _forget_outbox()
    everything = Everything("bulk")
    tag = _tag(project, everything, "all")
    at_once = [_seen(tag)], [_undone(tag)]
    of_bulk = slices(project, "bulk", 2 * ROUNDS)
    tagged = [
        (_tagged(project, ours), _updated(project, theirs))
        for ours, theirs in zip(of_bulk[::2], of_bulk[1::2], strict=True)
    ]
    many = f"{tag.changed:,}"
    added, bare, alone = _added(project, everything)
    return [
        figure(f"bulk tag of {many}", at_once[0], "rows/s", target=RATE),
        figure(f"undo of tagging {many}", at_once[1], "rows/s"),
        *_rates("bulk tag, by slices", tagged, bare="bare UPDATE"),
        *_rates(f"add {many} to a dataset", [(added, bare)], bare="bare INSERT"),
        figure("bare INSERT of examples alone", [alone], "rows/s"),
    ]


def _forget_outbox() -> None:
    """Nothing digests what was sent before: jobs would give way to it."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE requests_log_undigested")


def _rates(name: str, pairs: Sequence[tuple[float, float]], *, bare: str) -> list[dict[str, Any]]:
    ours, theirs = ([pair[place] for pair in pairs] for place in (0, 1))
    return [
        figure(name, ours, "rows/s", target=RATE),
        figure(bare, theirs, "rows/s"),
        figure(f"{name} / {bare}", [one / other for one, other in pairs], "ratio"),
    ]


def _tagged(project: Any, one: Slice) -> float:
    return _seen(_tag(project, one, "good"))


def _tag(project: Any, one: Everything, value: str) -> Any:
    from requests_log.tagging import read_tagging, tag_requests

    tagging = read_tagging("quality", value)
    selection = one.selection
    return tag_requests(project, selection=selection, tagging=tagging, by=None, at=selection.at)


def _updated(project: Any, one: Slice) -> float:
    from workbench.core.ids import floor_of

    bounds = {"since": floor_of(one.since), "until": floor_of(one.until)}
    return _executed(_UPDATE, {"project": project.pk, **bounds})


def _added(project: Any, one: Everything) -> tuple[float, float, float]:
    """Rows a second by the job, by a bare statement, and by one that writes no contents."""
    from requests_log.datasets.actions import create_dataset
    from workbench.core.actions import create_project

    dataset = create_dataset(project, name="Bulk", by=None)
    ours = _seen(_add(dataset, one))
    other = create_dataset(create_project(name="Bare", owner=None), name="Bare", by=None)
    places = {"from": dataset.pk, "to": other.pk, "project": other.project_id}
    bare = _executed(_INSERT, places)
    second = create_dataset(other.project, name="Second", by=None)
    return ours, bare, _executed(_INSERT_EXAMPLES, {"from": other.pk, "to": second.pk})


def _add(dataset: Any, one: Everything) -> Any:
    from requests_log.datasets.picking import add_requests

    selection = one.selection
    return add_requests(dataset, selection=selection, by=None, at=selection.at)


def _seen(action: Any) -> float:
    """Requests a second that a bulk action's job comes through."""
    assert action.job, "the log is too small for bulk actions to be jobs: take 50,000 calls or more"
    done, seconds = _performed(action.job)
    action.refresh_from_db()
    return done / seconds


def _undone(action: Any) -> float:
    """Requests a second that are put back by the job that undoes an action."""
    from requests_log.bulk.actions import undo

    undoing = undo(action, by=None, at=datetime.now(UTC))
    _, seconds = _performed(undoing.undo_job)
    return float(action.changed / seconds)


def _performed(job: Any) -> tuple[int, float]:
    """What a job counted as done, and the seconds it took."""
    from workbench.core.models import Job
    from workbench.core.queue import perform

    begun = time.perf_counter()
    perform(job.pk, holder="bench")
    seconds = time.perf_counter() - begun
    job.refresh_from_db()
    assert job.state == Job.State.SUCCEEDED, job.error
    return job.done, seconds


def _executed(statement: str, parameters: Any) -> float:
    """Rows a second that one statement writes, its commit included."""
    from django.db import connection

    with connection.cursor() as cursor:
        begun = time.perf_counter()
        cursor.execute(statement, parameters)
        return float(cursor.rowcount / (time.perf_counter() - begun))


def ingest_rates(project: Any, send: Callable[[], float]) -> list[dict[str, Any]]:
    """Calls a second over HTTP, alone and while a bulk action is under way, in turn.

    `send` ingests a number of calls and returns its rate.
    """
    figures = []
    for doing in ("tagging", "adding to a dataset"):
        alone, meanwhile = [], []
        for one in slices(project, "production", ROUNDS):
            alone.append(send())
            with _somebody_does(doing, project, one):
                meanwhile.append(send())
        ratios = [one / other for one, other in zip(meanwhile, alone, strict=True)]
        figures += [
            figure(f"ingest before {doing}", alone, "calls/s"),
            figure(f"ingest while {doing}", meanwhile, "calls/s"),
            figure(f"ingest while {doing} / alone", ratios, "ratio", target=INGEST_RATIO),
        ]
    return figures


@contextmanager
def _somebody_does(doing: str, project: Any, one: Slice) -> Iterator[None]:
    """A process beside does a job; it is cancelled in the end."""
    from requests_log.datasets.actions import create_dataset
    from workbench.core.models import Job
    from workbench.core.queue import cancel_job

    if doing == "tagging":
        action = _tag(project, one, f"{one.since}")
    else:
        name = f"Meanwhile {one.since}"
        action = _add(create_dataset(project, name=name, by=None), one)
    worker = get_context("spawn").Process(target=_perform, args=(str(action.job.pk),))
    worker.start()
    _await_progress(action.job)
    try:
        yield
        if Job.objects.get(pk=action.job.pk).is_finished:
            print(f"  {doing} was through before ingest: take more calls", flush=True)
    finally:
        cancel_job(action.job, at=datetime.now(UTC))
        worker.join(WAIT_SECONDS)


def _await_progress(job: Any) -> None:
    give_up = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < give_up:
        job.refresh_from_db()
        if job.done:
            return
        time.sleep(0.05)
    raise AssertionError("the job beside did not begin")


def _perform(job_id: str) -> None:
    """In a process of its own, as a worker does it."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")
    django.setup()
    from uuid import UUID

    from workbench.core.queue import perform

    perform(UUID(job_id), holder="bench, beside")
