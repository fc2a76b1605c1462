"""What a search finds, wherever in the index the requests are."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from requests_log.finding import found_ids, text_page
from requests_log.models import Digest, LoggedRequest, LoggedRequestQuerySet
from requests_log.search import read_filter
from requests_log.selection import Selection
from requests_log.textindex import sealing
from requests_log.textindex.models import TextSegment, TextWaiting
from tests.conftest import Cast
from tests.curate.factories import MORNING, NOON, make_request
from workbench.core.models import Project


def search(project: Project, text: str) -> tuple[LoggedRequestQuerySet, list[str]]:
    wanted = read_filter(text, at=NOON)
    assert wanted.problems == ()
    rows = LoggedRequest.objects.in_project(project).filter(wanted.rest)
    return rows, wanted.needles


def found(project: Project, text: str, *, most: int = 10_000) -> list[UUID]:
    rows, needles = search(project, text)
    return found_ids(project, rows, needles, most=most)


def log(project: Project, texts: list[str], *, sealed: int = 0) -> list[UUID]:
    """Requests with these questions a second apart, the first `sealed` of them in segments."""
    made = []
    for number, text in enumerate(texts):
        at = MORNING + timedelta(seconds=number)
        made.append(make_request(project, at=at, question=text, answer="Understood.").id)
        if number < sealed and number % 3 == 2:
            sealing.seal(project.pk)
    return made


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Where is my refund?", "refund"),
        ("Where is my refund?", "efun"),
        ("Where is my refund?", '"my REFUND"'),
        ("Where is my\n refund?", '"my refund"'),
        ("Zahlung per Überweisung", "uberweis"),
        ("请问退款流程是什么", "退款"),
        ("请问退款流程是什么", "款"),
        ("返金はいつですか", "返金"),
        ("환불 언제 되나요", "환불"),
        ("Когда вернут деньги", "деньги"),
        ("order 'A-17%_\\'", "A-17%_"),
        ("call me 🙂 soon", "🙂"),
    ],
)
def test_words_parts_of_words_and_any_script_are_found(
    cast: Cast, text: str, query: str, *, sealed: bool
) -> None:
    wanted = log(cast.project, ["Something else", text, "Another thing"])[1]
    if sealed:
        sealing.seal(cast.project.pk)

    assert found(cast.project, query) == [wanted]


def test_the_answer_is_searched_too(cast: Cast) -> None:
    made = make_request(cast.project, answer="The parcel left Rotterdam.")

    assert found(cast.project, "rotterdam") == [made.id]


def test_another_projects_texts_are_not_found(cast: Cast) -> None:
    log(cast.other_project, ["refund"])
    sealing.seal(cast.other_project.pk)

    assert found(cast.project, "refund") == []


texts = st.lists(st.text("abc退 ", min_size=1, max_size=9), min_size=1, max_size=14)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts, st.text("abc退", min_size=3, max_size=4), st.integers(0, 14))
def test_the_index_finds_what_reading_every_text_finds(
    cast: Cast, given_: list[str], needle: str, sealed: int
) -> None:
    with transaction.atomic():
        log(cast.project, given_, sealed=sealed)
        rows = LoggedRequest.objects.in_project(cast.project)

        exact = rows.filter(read_filter(needle, at=NOON).condition)
        expected = list(exact.order_by("-id").values_list("id", flat=True))
        assert found(cast.project, needle) == expected
        assert found(cast.project, needle, most=2) == expected[:2]
        transaction.set_rollback(True)


def test_pages_of_matches_cover_each_once_in_both_directions(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests_log.textindex.candidates.FIRST_SEGMENTS", 1)
    made = log(cast.project, [f"refund {number}" for number in range(14)], sealed=12)
    rows, needles = search(cast.project, "refund")

    seen, before, page = [], "", None
    while page is None or page.older:
        page = text_page(cast.project, rows, needles, before=before, size=4)
        seen.append([row.id for row in page.rows])
        before = str(page.older or "")
    back = text_page(cast.project, rows, needles, after=str(page.newer), size=4)

    assert [id_ for ids in seen for id_ in ids] == made[::-1]
    assert [row.id for row in back.rows] == seen[-2]


def test_other_terms_narrow_what_is_found(cast: Cast) -> None:
    log(cast.project, ["refund one", "refund two"])
    third = make_request(cast.project, at=NOON, question="refund three", model="other").id

    assert found(cast.project, "refund model:other") == [third]
    assert found(cast.project, "refund -three -two model:gpt-x") != []
    assert found(cast.project, "refund one two") == []


def test_a_digest_made_again_is_found_once(cast: Cast) -> None:
    made = log(cast.project, ["refund"])
    sealing.seal(cast.project.pk)
    sealing.wait([(cast.project.pk, made[0])])

    assert found(cast.project, "refund") == made


def test_a_segment_made_again_forgets_what_is_gone(cast: Cast) -> None:
    made = log(cast.project, ["refund one", "refund two", "refund three"], sealed=3)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM requests_log_digest WHERE id = %s", [made[0]])

    call_command("reindex", stdout=StringIO())

    assert TextSegment.objects.get(project=cast.project).calls == 2
    assert found(cast.project, "refund") == made[:0:-1]


def test_a_segments_worth_of_requests_is_sealed_and_the_rest_waits(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MOST_CALLS", 3)
    monkeypatch.setattr(sealing, "LOOK_EVERY", 2)
    log(cast.project, [f"refund {number}" for number in range(7)])
    sealer = sealing.Sealer()
    sealer.count([cast.project.pk] * 7)

    assert sealer.run() == 6

    assert TextWaiting.objects.filter(project=cast.project).count() == 1
    assert len(found(cast.project, "refund")) == 7


def test_a_bulk_selection_by_text_holds_each_match_once(cast: Cast) -> None:
    made = log(cast.project, ["refund", "other", "refund again"], sealed=3)
    selection = Selection(at=NOON, query="refund")

    assert list(selection.chunks(cast.project)) == [[made[2], made[0]]]
    assert selection.count(cast.project, cap=10) == 2


def test_upkeep_makes_segments_anew_of_which_much_is_gone(cast: Cast) -> None:
    made = log(cast.project, [f"refund {number}" for number in range(12)], sealed=12)
    worn, sound, empty = made[:3], made[3:6], made[6:9]
    Digest.objects.filter(id__in=[worn[0], *empty]).delete()

    renewed = sealing.Renewal().run()

    segments = TextSegment.objects.filter(project=cast.project).order_by("oldest")
    assert renewed == 2
    assert [(one.oldest, one.calls) for one in segments] == [
        (worn[1], 2),
        (sound[0], 3),
        (made[9], 3),
    ]
    assert found(cast.project, "refund") == [*made[:8:-1], *sound[::-1], *worn[:0:-1]]


def test_upkeep_looks_at_some_segments_at_a_time_and_begins_again(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = log(cast.project, [f"refund {number}" for number in range(6)], sealed=6)
    monkeypatch.setattr(sealing, "LOOKED_AFTER", 1)
    upkeep = sealing.Renewal()
    Digest.objects.filter(id=made[3]).delete()

    assert [upkeep.run(), upkeep.run()] == [0, 1]

    Digest.objects.filter(id=made[0]).delete()
    assert [upkeep.run() for _ in range(3)] == [0, 0, 1]
    assert found(cast.project, "refund") == [made[5], made[4], made[2], made[1]]
