"""Scoring, commenting and correcting on a request's page."""

from __future__ import annotations

import pytest
from django.test import Client

from requests_log.feedback.correcting import correct_answer, read_answer
from requests_log.models import Comment, Correction, LoggedScore, RequestRow
from requests_log.redaction.items import WITHHELD_BODY
from tests.conftest import Cast
from tests.curate.factories import NOON, make_request, store_request
from tests.curate.test_log_pages import HOSTILE, client_of, text_of


def at(cast: Cast, row: RequestRow, path: str = "") -> str:
    return f"/p/{cast.project.slug}/log/{row.id}/{path}"


def scores(cast: Cast) -> list[tuple[str, object, str | None]]:
    rows = LoggedScore.objects.in_project(cast.project).order_by("id")
    return [(row.name, row.value, row.author) for row in rows]


@pytest.mark.parametrize(
    ("typed", "kept"), [("0.5", 0.5), ("yes", True), ("No", False), ("rude", "rude")]
)
def test_a_value_becomes_what_it_looks_like(
    alice: Client, cast: Cast, typed: str, kept: object
) -> None:
    row = make_request(cast.project)

    page = text_of(alice.post(at(cast, row, "scores/"), {"name": "tone", "value": typed}))

    assert scores(cast) == [("tone", kept, cast.alice.email)]
    assert typed.lower() in page


def test_a_score_is_changed_and_deleted_on_the_page(alice: Client, cast: Cast) -> None:
    row = make_request(cast.project)
    alice.post(at(cast, row, "scores/"), {"name": "tone", "value": "1", "data_type": "category"})
    own = f"scores/{LoggedScore.objects.in_project(cast.project).get().id}/"

    changed = alice.post(
        at(cast, row, own), {"name": "tone", "value": "2", "data_type": "number", "comment": "hm"}
    )
    gone = alice.post(at(cast, row, f"{own}delete/"))

    assert "changed by Alice" in text_of(changed)
    assert "No scores" in text_of(gone)


def test_a_thumb_is_set_turned_and_taken_back(alice: Client, cast: Cast) -> None:
    row = make_request(cast.project)
    path = at(cast, row, "thumb/")
    client_of(cast.bob).post(path, {"up": "1"})

    seen = []
    for up in ("1", "0", "0"):
        alice.post(path, {"up": up})
        seen.append([value for _, value, who in scores(cast) if who == cast.alice.email])

    assert seen == [[True], [False], []]
    assert len(scores(cast)) == 1


def test_comments_are_written_on_the_page_and_hostile_words_are_text(
    alice: Client, cast: Cast
) -> None:
    row = make_request(cast.project)

    page = text_of(alice.post(at(cast, row, "comments/"), {"text": HOSTILE}))
    own = f"comments/{Comment.objects.in_project(cast.project).get().pk}/"
    changed = text_of(alice.post(at(cast, row, own), {"text": "Calmer."}))
    gone = text_of(alice.post(at(cast, row, f"{own}delete/")))

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "Calmer." in changed
    assert "Calmer." not in gone


def test_the_editor_shows_the_original_and_saves_the_correction(alice: Client, cast: Cast) -> None:
    row = make_request(cast.project, answer="You have 14 days.")
    path = at(cast, row, "correct/")

    opened = text_of(alice.get(path))
    preview = text_of(alice.post(f"{path}preview/", {"content": "You have 30 days."}))
    saved = alice.post(
        path, {"content": "You have 30 days.\r\nSorry.", "note": "policy", "based_on": "0"}
    )
    page = text_of(alice.get(at(cast, row)))

    assert opened.count("You have 14 days.") == 2
    assert "<del>14</del><ins>30</ins>" in preview
    assert saved.headers["Location"] == at(cast, row)
    assert "<del>14</del><ins>30</ins>" in page
    made = Correction.objects.get(project=cast.project)
    assert made.answer == {"role": "assistant", "content": "You have 30 days.\nSorry."}


def test_a_correction_that_cannot_be_saved_is_still_in_the_editor(
    alice: Client, cast: Cast
) -> None:
    row = make_request(cast.project)
    correct_answer(cast.project, row.id, answer=read_answer("Bob's"), by=cast.bob, at=NOON)

    answer = alice.post(
        at(cast, row, "correct/"), {"content": "Alice's", "note": "mine", "based_on": "0"}
    )

    page = text_of(answer)
    assert answer.status_code == 422
    assert "Bob corrected this answer meanwhile" in page
    assert "Alice&#x27;s</textarea>" in page
    assert 'value="mine"' in page


def test_a_correction_is_withdrawn_and_the_history_stays(alice: Client, cast: Cast) -> None:
    row = make_request(cast.project)
    correct_answer(cast.project, row.id, answer=read_answer("five"), by=cast.bob, at=NOON)

    alice.post(at(cast, row, "correct/withdraw/"))

    assert "Corrected answer" not in text_of(alice.get(at(cast, row)))
    history = text_of(alice.get(at(cast, row, "correct/")))
    assert "Withdrawn" in history
    assert "Correction 1" in history


def test_a_viewer_sees_feedback_but_gives_none(alice: Client, cast: Cast) -> None:
    row = make_request(cast.project)
    alice.post(at(cast, row, "scores/"), {"name": "tone", "value": "rude"})
    alice.post(at(cast, row, "comments/"), {"text": "See the policy."})
    victor = client_of(cast.victor)

    page = text_of(victor.get(at(cast, row)))

    assert "rude" in page
    assert "See the policy." in page
    assert "Add a score" not in page
    for path in ("scores/", "thumb/", "comments/", "correct/", "correct/withdraw/"):
        assert victor.post(at(cast, row, path), {"text": "x"}).status_code in (302, 403)


def test_feedback_of_another_project_is_not_there(alice: Client, cast: Cast) -> None:
    row = make_request(cast.other_project)

    for path in ("scores/", "thumb/", "comments/", "correct/preview/", "correct/withdraw/"):
        sent = {"name": "a", "value": "1", "text": "x", "content": "x"}
        assert alice.post(at(cast, row, path), sent).status_code == 404
    assert alice.get(at(cast, row, "correct/")).status_code == 404


def test_what_could_not_be_redacted_carries_a_badge(alice: Client, cast: Cast) -> None:
    row = store_request(
        cast.project,
        at=NOON,
        request=WITHHELD_BODY,
        response=WITHHELD_BODY,
        response_size=len(WITHHELD_BODY),
        redaction=3,
    )

    page = text_of(alice.get(at(cast, row)))

    assert "content withheld" in page
    assert "request, response: this could not be redacted" in page
    assert "withheld" not in text_of(alice.get(at(cast, make_request(cast.project))))
