"""The pages of the log."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from requests_log.facets import facets_of
from requests_log.models import LoggedRequest
from requests_log.search import parse
from tests.conftest import Cast
from tests.curate.factories import (
    NOON,
    make_dataset,
    make_request,
    make_requests,
    make_score,
    store_request,
)
from workbench.core.ids import uuid7
from workbench.core.models import User

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)"> \u202e {{ 7|add:7 }}'


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def log(cast: Cast, path: str = "") -> str:
    return f"/p/{cast.project.slug}/log/{path}"


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_before_the_first_request_the_page_teaches_how_to_send_it(
    alice: Client, cast: Cast
) -> None:
    page = text_of(alice.get(log(cast)))

    assert "Waiting for your first request" in page
    assert "stillhouse.wrap(OpenAI())" in page
    assert "/v1&quot;" in page or '/v1"' in page


def test_the_list_shows_newest_first_with_facets_and_count(alice: Client, cast: Cast) -> None:
    make_requests(cast.project, 3, tags={"route": "checkout"}, prompt_name="triage")

    page = text_of(alice.get(log(cast)))

    assert page.index("Question 2?") < page.index("Question 0?")
    assert "3 requests" in page
    assert "checkout" in page
    assert "q=tag.route%3Acheckout" in page


def test_the_list_needs_few_queries_whatever_its_length(alice: Client, cast: Cast) -> None:
    make_requests(cast.project, 60, tags={"a": "b"}, model="m")

    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = alice.get(log(cast), {"q": "model:m tag.a:b status:ok"})

    assert page.status_code == 200
    assert len(queries) <= 15


def test_paging_covers_every_row_once_both_ways(alice: Client, cast: Cast) -> None:
    rows = make_requests(cast.project, 120)
    expected = [str(row.id) for row in reversed(rows)]

    def walk(path: str, rel: str) -> tuple[list[str], str]:
        seen: list[str] = []
        while True:
            page = text_of(alice.get(path))
            ids = re.findall(r'id="row-([0-9a-f-]+)"', page)
            seen = seen + ids if rel == "next" else ids + seen
            link = re.search(rf'rel="{rel}"[^>]*href="([^"]+)"', page)
            if link is None:
                return seen, path
            path = log(cast) + link[1].replace("&amp;", "&")

    down, last = walk(log(cast), "next")
    up, _ = walk(last, "prev")

    assert down == expected
    assert up == expected


@pytest.mark.parametrize("path", ["?before=x", "?after=x", "?before=%00"])
def test_a_bad_cursor_is_told_and_breaks_nothing(alice: Client, cast: Cast, path: str) -> None:
    make_request(cast.project)

    assert alice.get(log(cast, path)).status_code == 400


def test_a_mistake_in_the_query_is_marked_in_place(alice: Client, cast: Cast) -> None:
    make_request(cast.project)

    page = text_of(alice.get(log(cast), {"q": 'status:ok modle:"<x>"'}))

    assert "status:ok <mark>modle:&quot;&lt;x&gt;&quot;</mark>" in page
    assert "Did you mean “model:”" in page
    assert "2+2" not in page


def test_a_query_without_matches_offers_to_clear_it(alice: Client, cast: Cast) -> None:
    make_request(cast.project)

    page = text_of(alice.get(log(cast), {"q": "model:none"}))

    assert "Nothing matches" in page
    assert "Clear the query" in page


def test_a_facet_in_use_keeps_its_other_values_in_sight(alice: Client, cast: Cast) -> None:
    make_request(cast.project, model="model-a")
    make_request(cast.project, model="model-b")

    page = text_of(alice.get(log(cast), {"q": "model:model-a"}))

    assert "q=model%3Amodel-a%2Cmodel-b" in page
    assert "q=-model%3Amodel-a&quot;" in page or 'q=-model%3Amodel-a"' in page
    assert re.search(r'aria-current="true"[^>]*title="model-a"', page)


def test_scores_are_a_facet_by_name_and_each_request_counts_once(cast: Cast) -> None:
    ours, traced = make_request(cast.project), make_request(cast.project, trace_id="t")
    make_score(cast.project, "helpful", number=0.2, request=ours)
    make_score(cast.project, "helpful", number=0.9, request=ours)
    make_score(cast.project, "helpful", number=1, trace_id="t")
    make_score(cast.project, "two words", label="rude", request=traced)
    make_score(cast.other_project, "helpful", number=1, trace_id="t")

    found = facets_of(cast.project, parse("status:ok"), at=NOON)
    (scores,) = [facet for facet in found if facet.name == "Scores"]

    assert [(one.label, one.count) for one in scores.values] == [("helpful", 2), ("two words", 1)]
    assert scores.values[0].query == "status:ok score.helpful:*"
    assert scores.values[1].without == 'status:ok -score."two words":*'


def test_a_score_in_the_query_is_marked_and_taken_out_again(cast: Cast) -> None:
    make_score(cast.project, "helpful", number=0.2, request=make_request(cast.project))

    found = facets_of(cast.project, parse("score.helpful:<0.5 -score.tone:rude"), at=NOON)
    (scores,) = [facet for facet in found if facet.name == "Scores"]

    helpful, tone = scores.values
    assert (helpful.is_on, helpful.query) == (True, "-score.tone:rude")
    assert (tone.label, tone.is_off, tone.count) == ("tone", True, 0)
    assert tone.without == "score.helpful:<0.5"


def test_a_prompt_without_a_version_counts_all_its_versions(alice: Client, cast: Cast) -> None:
    for version in (1, 2):
        make_request(cast.project, prompt_name="triage", prompt_version=version)

    page = text_of(alice.get(log(cast), {"q": "prompt:triage"}))

    assert '<span>triage</span><span class="facet__count">2</span>' in page


def test_a_request_can_be_sent_again_by_command_or_program(alice: Client, cast: Cast) -> None:
    row = make_request(cast.project, question='It\'s "late"')
    broken = store_request(cast.project, at=NOON, request=b"\xff\x00", response=None)

    page = text_of(alice.get(log(cast, f"{row.id}/?tab=code")))
    other = text_of(alice.get(log(cast, f"{broken.id}/?tab=code")))

    assert "curl https://api.openai.com/v1/chat/completions" in page
    assert "client.chat.completions.create(" in page
    assert "$OPENAI_API_KEY" in page
    assert "printf &#x27;\\377\\000&#x27; |" in other
    assert "This body is no JSON object" in other


@pytest.mark.parametrize("path", ["", "?tab=raw", "?tab=code", "inspect/"])
def test_hostile_content_is_shown_as_text(alice: Client, cast: Cast, path: str) -> None:
    row = make_request(
        cast.project,
        question=HOSTILE,
        answer=HOSTILE,
        tags={HOSTILE[:50]: HOSTILE},
        model=HOSTILE,
        end_user=HOSTILE,
        session=HOSTILE,
        prompt_name=HOSTILE,
    )

    for page in (alice.get(log(cast)), alice.get(log(cast, f"{row.id}/{path}"))):
        shown = text_of(page)
        assert page.status_code == 200
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "&lt;script&gt;alert(1)" in shown
        assert "{{ 7|add:7 }}" in shown


def test_the_request_page_shows_conversation_facts_and_links(alice: Client, cast: Cast) -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Look it up"}]},
        {
            "role": "assistant",
            "tool_calls": [{"function": {"name": "search", "arguments": '{"q": "x"}'}}],
        },
        {"role": "tool", "content": "found"},
    ]
    row = make_request(
        cast.project,
        request={"model": "m", "messages": messages, "temperature": 0.3},
        answer="There it is",
        prompt_name="triage",
        prompt_version=3,
    )

    page = text_of(alice.get(log(cast, f"{row.id}/")))

    for part in (
        "Look it up",
        "search",
        "found",
        "There it is",
        "temperature",
        "triage@3",
        "20 in",
    ):
        assert part in page
    assert "q=prompt%3Atriage%403" in page


def test_raw_bodies_are_exact(alice: Client, cast: Cast) -> None:
    sent = b'{"model":  "m",\n "messages": []}'
    row = store_request(cast.project, at=NOON, request=sent, response=b'{"a": 1}')

    page = text_of(alice.get(log(cast, f"{row.id}/?tab=raw")))
    file = alice.get(log(cast, f"{row.id}/raw/request/"))

    assert "{&quot;model&quot;:  &quot;m&quot;,\n" in page
    assert file.content == sent
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert alice.get(log(cast, f"{row.id}/raw/nothing/")).status_code == 404


def test_a_request_of_another_project_is_not_there(alice: Client, cast: Cast) -> None:
    row = make_request(cast.other_project)

    for path in ("", "inspect/", "raw/request/"):
        assert alice.get(log(cast, f"{row.id}/{path}")).status_code == 404
    assert alice.post(log(cast, f"{row.id}/tag/"), {"name": "a"}).status_code == 404
    assert alice.get(log(cast, f"{uuid7()}/")).status_code == 404


def test_a_stranger_sees_no_log(cast: Cast) -> None:
    row = make_request(cast.project)
    charlie = client_of(cast.charlie)

    for path in ("", f"{row.id}/", f"{row.id}/inspect/", "newer/"):
        assert charlie.get(log(cast, path)).status_code == 404


def test_a_viewer_reads_but_may_not_tag(cast: Cast) -> None:
    row = make_request(cast.project)
    victor = client_of(cast.victor)

    page = text_of(victor.get(log(cast, f"{row.id}/")))

    assert victor.post(log(cast, f"{row.id}/tag/"), {"name": "a"}).status_code in (302, 403)
    assert victor.post(log(cast, "tag/"), {"name": "a", "ids": row.id}).status_code in (302, 403)
    assert LoggedRequest.objects.get(id=row.id).tags == {}
    assert 'aria-label="Tag name"' not in page
    assert "data-selection-bar" not in text_of(victor.get(log(cast)))


def test_a_viewer_selects_nothing_as_nothing_could_be_done_with_it(cast: Cast) -> None:
    make_requests(cast.project, 2)
    dataset = make_dataset(cast.project, rows=2)
    pages = (log(cast), f"/p/{cast.project.slug}/datasets/{dataset.slug}/")

    for page in pages:
        seen = {who: text_of(client_of(who).get(page)) for who in (cast.victor, cast.bob)}
        assert "data-select" not in seen[cast.victor]
        assert seen[cast.bob].count("data-select value") == 2


def test_tags_are_edited_on_the_page(alice: Client, cast: Cast) -> None:
    row = make_request(cast.project, tags={"old": "yes"})
    path = log(cast, f"{row.id}/tag/")

    added = alice.post(path, {"name": "quality", "value": "good"})
    removed = alice.post(path, {"name": "old", "remove": "1"})

    assert "quality: good" in text_of(added)
    assert "old: yes" not in text_of(removed)
    assert LoggedRequest.objects.get(id=row.id).tags == {"quality": "good"}


def test_a_selection_is_tagged_by_ids_or_by_query(alice: Client, cast: Cast) -> None:
    rows = make_requests(cast.project, 3)

    alice.post(log(cast, "tag/"), {"name": "a", "value": "1", "ids": [rows[0].id, rows[1].id]})
    alice.post(
        log(cast, "tag/"),
        {"name": "b", "value": "2", "all": "1", "except": rows[0].id, "q": "status:ok"},
    )

    tags = [LoggedRequest.objects.get(id=row.id).tags for row in rows]
    assert tags == [{"a": "1"}, {"a": "1", "b": "2"}, {"b": "2"}]


def test_new_requests_are_told_of(alice: Client, cast: Cast) -> None:
    rows = make_requests(cast.project, 3)

    some = text_of(alice.get(log(cast, "newer/"), {"first": str(rows[0].id)}))
    none = text_of(alice.get(log(cast, "newer/"), {"first": str(rows[2].id)}))
    first = alice.get(log(cast, "newer/"))

    assert "2 newer requests" in some
    assert "newer request" not in none
    assert first.headers["HX-Refresh"] == "true"


def test_prompts_in_use_link_to_their_requests(alice: Client, cast: Cast) -> None:
    empty = text_of(alice.get(f"/p/{cast.project.slug}/prompts/in-log/"))
    make_request(cast.project, prompt_name="triage", prompt_version=3)
    page = text_of(alice.get(f"/p/{cast.project.slug}/prompts/in-log/"))

    assert "No request named its prompt yet" in empty
    assert "q=prompt%3Atriage%403" in page
