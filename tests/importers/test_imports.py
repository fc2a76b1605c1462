"""Files on their way into the log: once, in their weeks, with every failed row told."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from requests_log import bodies
from requests_log.importers import actions, run
from requests_log.importers.models import Import
from requests_log.models import LoggedRequest, RequestBody, RequestRow, RequestTags
from requests_log.partitions import week_of
from tests.importers.factories import NOON, done, make_import, make_rows, state
from tests.importers.golden import SAMPLES
from workbench.core.ids import time_of
from workbench.core.models import Job, Project
from workbench.core.queue import cancel_job


def stored(project: Project) -> int:
    return RequestRow.objects.in_project(project).count()


def sample(project: Project, name: str) -> Import:
    return done(make_import(project, (SAMPLES / name).read_bytes(), name=name))


def test_every_row_becomes_a_call_with_its_own_time(project: Project) -> None:
    imported = done(make_import(project, make_rows(1200)))

    assert (imported.calls, imported.duplicates, imported.rejected) == (1200, 0, 0)
    assert imported.state == "succeeded"
    assert stored(project) == 1200
    first = LoggedRequest.objects.in_project(project).get(tags__contains={"import.id": "row-7"})
    assert first.started_at == NOON - timedelta(seconds=7)
    assert time_of(first.id) == first.started_at
    assert first.source == "import"


def test_importing_a_file_again_adds_nothing_and_says_so(project: Project) -> None:
    done(make_import(project, make_rows(700)))

    again = done(make_import(project, make_rows(700)))

    assert (again.calls, again.duplicates, again.rejected) == (0, 700, 0)
    assert stored(project) == 700


def test_an_export_that_has_grown_adds_what_is_new(project: Project) -> None:
    done(make_import(project, make_rows(300)))

    grown = done(make_import(project, make_rows(450)))

    assert (grown.calls, grown.duplicates) == (150, 300)


def test_rows_without_a_time_are_known_again_by_their_file(project: Project) -> None:
    content = b'{"prompt": "Hi?"}\n{"prompt": "Ho?"}\n'
    done(make_import(project, content))

    made = actions.upload(project, chunks=[content], name="x", by=None, at=NOON + timedelta(9))
    again = done(made)

    assert (again.calls, again.duplicates) == (0, 2)


def test_ids_that_a_file_holds_twice_are_stored_once(project: Project) -> None:
    imported = done(make_import(project, make_rows(10) + make_rows(10)))

    assert (imported.calls, imported.duplicates) == (10, 10)


def test_one_file_may_go_into_two_projects(project: Project) -> None:
    imported = done(make_import(project, make_rows(3)))
    RequestRow.objects.in_project(project).delete()

    assert imported.calls == 3


def test_years_of_history_lie_in_their_own_weeks(project: Project) -> None:
    # `every` is prime to a week, so that no week is left out
    imported = done(make_import(project, make_rows(170, every=timedelta(days=6))))

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text, id FROM requests_log_request WHERE project_id = %s",
            [project.pk],
        )
        rows = cursor.fetchall()
    assert imported.calls == 170
    assert len(rows) == 170
    for partition, identifier in rows:
        assert partition == f"requests_log_request_p{week_of(time_of(identifier)):%Y%m%d}"


def test_failed_rows_are_told_by_line_and_the_others_stored(project: Project) -> None:
    content = make_rows(2) + b"{broken\n" + b'{"id": "x"}\n' + make_rows(3).splitlines()[-1]

    imported = done(make_import(project, content))

    told = list(imported.problems.order_by("line").values_list("line", "sentence"))
    assert imported.rejected == 2
    assert [line for line, _ in told] == [3, 4]
    assert "messages nor a prompt" in told[1][1]
    assert imported.calls == 3


def test_a_file_that_breaks_off_keeps_what_came_before(project: Project) -> None:
    packed = gzip.compress(make_rows(5000, note="".join(map(str, range(200)))))
    cut = packed[: len(packed) // 2]

    imported = done(make_import(project, cut, name="calls.jsonl.gz"))

    assert state(imported) == Job.State.FAILED
    assert imported.job is not None
    assert "cut off" in imported.job.error
    assert imported.calls == imported.position > 100
    assert stored(project) == imported.calls
    assert imported.address == ""


def test_a_cancelled_import_goes_on_where_it_stopped(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH_ITEMS", 50)
    made = actions.start_import(make_import(project, make_rows(120)), by=None)
    assert made.job is not None
    Job.objects.filter(pk=made.job.pk).update(cancel_requested=True, state=Job.State.RUNNING)
    cancel_job(made.job, at=NOON)

    again = done(Import.objects.select_related("job").get(pk=_cancelled(made).pk))

    assert (again.calls, again.duplicates) == (120, 0)


def _cancelled(made: Import) -> Import:
    assert made.job is not None
    Job.objects.filter(pk=made.job.pk).update(state=Job.State.CANCELLED, finished_at=NOON)
    return made


def test_what_an_earlier_attempt_stored_without_counting_is_counted_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after kill -9 between the store's commit and the row's."""
    monkeypatch.setattr(run, "BATCH_ITEMS", 50)
    made = make_import(project, make_rows(120))
    whole = done(made)
    address = make_import(project, make_rows(120)).address
    Import.objects.filter(pk=made.pk).update(position=50, calls=50, address=address)
    assert whole.calls == 120
    (lost,) = LoggedRequest.objects.in_project(project).tagged("import.id", "row-110")
    RequestTags.objects.filter(id=lost.id).delete()
    RequestRow.objects.filter(id=lost.id).delete()
    RequestBody.objects.in_project(project).exclude(
        id__in=RequestRow.objects.in_project(project).values("id")
    ).delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM requests_log_undigested WHERE project_id = %s", [project.pk])

    again = done(Import.objects.get(pk=made.pk))

    assert again.calls == 50 + 50 + 1
    assert again.duplicates == 19
    assert stored(project) == 120


def test_payloads_are_kept_byte_for_byte(project: Project) -> None:
    request = b'{"model" : "m",\n"messages":[], "x": 1e2, "y": 123456789012345678901234567890}'
    line = b'{"requestedAt":1731000000000,"reqPayload":%b,"respPayload":{"choices": [ ]}}' % (
        request.replace(b"\n", b" ")
    )

    done(make_import(project, line, name="openpipe.jsonl"))

    kept = bodies.read(RequestBody.objects.in_project(project).get())
    assert kept.request == request.replace(b"\n", b" ")
    assert kept.response == b'{"choices": [ ]}'


def test_langfuse_becomes_calls_spans_and_scores(project: Project) -> None:
    imported = sample(project, "langfuse-flat.jsonl")

    assert (imported.calls, imported.spans, imported.scores) == (1, 3, 3)
    call = RequestRow.objects.in_project(project).get()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, request_id FROM requests_log_score WHERE project_id = %s ORDER BY name",
            [project.pk],
        )
        assert cursor.fetchall() == [("helpful", None), ("tone", None), ("user-feedback", call.id)]


def test_a_langfuse_score_that_comes_in_a_file_of_its_own_finds_its_call(project: Project) -> None:
    sample(project, "langfuse-blob.jsonl")
    score = json.loads((SAMPLES / "langfuse-flat.jsonl").read_text().splitlines()[3])

    done(make_import(project, json.dumps(score).encode(), name="scores.jsonl"))

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT request_id FROM requests_log_score WHERE project_id = %s", [project.pk]
        )
        assert cursor.fetchall() == [(RequestRow.objects.in_project(project).get().id,)]


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_every_sample_is_stored_whole_and_only_once(project: Project, name: str) -> None:
    once = sample(project, name)
    again = sample(project, name)

    assert once.added > 0
    assert (once.duplicates, once.rejected) == (0, 0)
    assert (again.added, again.rejected) == (0, 0)
    assert again.duplicates == once.added


def test_files_go_when_they_are_taken_in(project: Project, tmp_path: Path) -> None:
    done(make_import(project, make_rows(3)))

    assert [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()] == []


def test_drafts_that_nobody_went_on_with_go_after_a_week(project: Project) -> None:
    old = make_import(project, make_rows(3))
    Import.objects.filter(pk=old.pk).update(created_at=datetime(2025, 1, 1, tzinfo=UTC))

    make_import(project, make_rows(4))

    assert not Import.objects.filter(pk=old.pk).exists()
