"""Two requests side by side."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from requests_log.comparing import compare, find_other
from requests_log.models import LoggedRequest
from tests.conftest import Cast
from tests.curate.factories import make_request, make_requests
from tests.curate.test_log_pages import HOSTILE, log, text_of
from workbench.core.errors import InvalidInput, NotFound
from workbench.core.ids import uuid7
from workbench.core.models import Project


def logged(project: Project, *said: str, **more: Any) -> LoggedRequest:
    """A request whose messages are "role: text"."""
    messages = [dict(zip(("role", "content"), one.split(": ", 1), strict=True)) for one in said]
    asked = {"model": "m", "messages": messages} | more.pop("asked", {})
    row = make_request(project, request=asked, **more)
    return LoggedRequest.objects.get(id=row.id)


def kinds(before: LoggedRequest, after: LoggedRequest) -> list[tuple[str, str]]:
    return [(line.kind, line.role) for line in compare(before, after).lines]


def test_messages_are_paired_by_place_and_role(cast: Cast) -> None:
    before = logged(cast.project, "system: Be brief.", "user: Where is it?", answer="Basel")
    after = logged(
        cast.project, "system: Be kind.", "assistant: Hello", "user: Where is it?", answer="Bern"
    )

    found = compare(before, after)

    assert kinds(before, after) == [
        ("changed", "system"),
        ("added", "assistant"),
        ("same", "user"),
        ("changed", "assistant"),
    ]
    assert [(piece.change, piece.text) for piece in found.lines[0].pieces] == [
        ("same", "Be "),
        ("removed", "brief"),
        ("added", "kind"),
        ("same", "."),
    ]
    assert not found.is_equal


def test_what_only_one_of_them_says_is_told(cast: Cast) -> None:
    before = logged(cast.project, "user: a", "assistant: b", "user: c")
    after = logged(cast.project, "user: c")

    assert kinds(before, after)[:3] == [
        ("removed", "user"),
        ("removed", "assistant"),
        ("same", "user"),
    ]


def test_a_request_is_equal_to_itself(cast: Cast) -> None:
    one = logged(cast.project, "user: a")

    found = compare(one, one)

    assert found.is_equal
    assert not any(fact.differs for fact in found.facts)
    names = [fact.name for fact in found.facts]
    assert names == ["Status", "Prompt", "Prompt version", "Answered by", "Finished"]


def test_parameters_and_tools_that_differ_are_told(cast: Cast) -> None:
    tool = {"type": "function", "function": {"name": "find"}}
    before = logged(cast.project, "user: a", asked={"temperature": 0})
    after = logged(cast.project, "user: a", asked={"temperature": 1, "tools": [tool]})

    differing = {fact.name for fact in compare(before, after).facts if fact.differs}

    assert differing == {"temperature", "tools"}


def test_very_long_conversations_are_compared_within_bounds(cast: Cast) -> None:
    before = logged(cast.project, *(f"user: {number} {'a ' * 4_000}" for number in range(60)))
    after = logged(cast.project, *(f"user: {number} {'b ' * 4_000}" for number in range(60)))

    found = compare(before, after)

    assert len(found.lines) == 61
    assert [len(line.pieces) for line in found.lines[50:60]] == [2] * 10


def test_the_other_is_named_by_id_or_address(cast: Cast) -> None:
    row = make_request(cast.project)
    stranger = make_request(cast.other_project)

    for text in (str(row.id), f"https://x.example/p/support/log/{row.id}/?q=a", f" {row.id} "):
        assert find_other(cast.project, text).id == row.id
    for text in ("", "latest", "0193"):
        with pytest.raises(InvalidInput, match="Paste the id"):
            find_other(cast.project, text)
    for missing in (uuid7(), stranger.id):
        with pytest.raises(NotFound):
            find_other(cast.project, str(missing))


def test_the_page_compares_with_a_similar_request(alice: Client, cast: Cast) -> None:
    one, other = (make_request(cast.project, answer=text) for text in ("It is 4.", "It is 5."))

    similar = text_of(alice.get(log(cast, f"{one.id}/?tab=similar")))
    page = text_of(alice.get(log(cast, f"{one.id}/?tab=compare&with={other.id}")))

    assert f"?tab=compare&amp;with={other.id}" in similar
    assert "<del>4</del><ins>5</ins>" in page


def test_a_mistyped_id_is_told_and_kept_in_its_field(alice: Client, cast: Cast) -> None:
    one = make_request(cast.project)

    answer = alice.get(log(cast, f"{one.id}/"), {"tab": "compare", "with": HOSTILE})

    page = text_of(answer)
    assert answer.status_code == 200
    assert "Paste the id of a request" in page
    assert 'value="&lt;script&gt;alert(1)' in page
    assert "<script>alert" not in page


def test_hostile_words_are_compared_as_text(alice: Client, cast: Cast) -> None:
    one, other = (make_request(cast.project, question=HOSTILE + text) for text in ("a", "b"))

    for tab in (f"compare&with={other.id}", "similar"):
        assert "<script>alert" not in text_of(alice.get(log(cast, f"{one.id}/?tab={tab}")))


def test_neighbours_keep_to_the_query_and_the_way_back_keeps_it_too(
    alice: Client, cast: Cast
) -> None:
    rows = make_requests(cast.project, 5)
    for place in (0, 2, 4):
        alice.post(log(cast, f"{rows[place].id}/tag/"), {"name": "a", "value": "b"})

    page = text_of(alice.get(log(cast, f"{rows[2].id}/?q=tag.a%3Ab&tab=raw")))

    assert f'href="{log(cast, f"{rows[4].id}/")}?q=tag.a%3Ab&amp;tab=raw" data-key="k"' in page
    assert f'href="{log(cast, f"{rows[0].id}/")}?q=tag.a%3Ab&amp;tab=raw" data-key="j"' in page
    assert f'href="{log(cast)}?q=tag.a%3Ab" data-key="u"' in page
    assert str(rows[3].id) not in page


def test_the_list_hands_its_query_on(alice: Client, cast: Cast) -> None:
    row = make_request(cast.project)

    page = text_of(alice.get(log(cast), {"q": "status:ok"}))
    drawer = text_of(alice.get(log(cast, f"{row.id}/inspect/?q=status%3Aok")))

    assert f'href="{log(cast, f"{row.id}/")}?q=status%3Aok"' in page
    assert f'href="{log(cast, f"{row.id}/")}?q=status%3Aok"' in drawer
