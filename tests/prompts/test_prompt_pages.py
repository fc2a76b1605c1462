"""Pages of the registry: list, prompt, editor, what changed, labels."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from prompts import actions
from prompts.content import checked, content_of
from prompts.editing import draft_of
from prompts.models import Prompt, PromptVersion
from prompts.reading import PromptReading
from prompts.resolving import fetch
from prompts.templatetags.prompts import marked
from prompts.uses import outcomes_of
from tests.conftest import Cast
from tests.curate.factories import make_request, make_score
from tests.prompts.factories import CHAT, NOON, make_prompt, make_version, point

HOSTILE = "<script>alert(1)</script>"


def page(client: Client, cast: Cast, path: str = "", **query: Any) -> str:
    answer = client.get(f"/p/{cast.project.slug}/prompts/{path}", query)
    assert answer.status_code == 200
    return answer.content.decode()


def post(client: Client, cast: Cast, path: str, **form: Any) -> Any:
    return client.post(f"/p/{cast.project.slug}/prompts/{path}", form)


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_an_empty_registry_teaches(alice: Client, cast: Cast) -> None:
    assert "Save a prompt under a name" in page(alice, cast)
    assert "prompts/new/" not in page(signed_in(cast.victor), cast)


def test_the_list_shows_folders_and_finds_below_them(alice: Client, cast: Cast) -> None:
    for name in ("top", "support/triage", "support/deep/one", "sales/x"):
        make_prompt(cast.project, name, description=f"About {name}")
    actions.archive(make_prompt(cast.project, "old"), by=None, at=NOON)

    def names(**query: Any) -> list[str]:
        return re.findall(r"data-open href=\"[^\"]*\">([^<]+)</a>", page(alice, cast, **query))

    assert names() == ["sales/", "support/", "top"]
    assert names(folder="support") == ["deep/", "triage"]
    assert names(folder="support", q="one") == ["support/deep/one"]
    assert names(archived=1) == ["old"]
    assert "Nothing matches" in page(alice, cast, q="nowhere")


def test_a_prompt_is_written_message_by_message(alice: Client, cast: Cast) -> None:
    form = {
        "name": "support/triage", "tags": "b, a", "description": "Sorts", "message": "First",
        "role": ["system", "messages", "user", "user"],
        "content": ["Be {{tone}}.\r\nShort.", "history", "{{ticket}}", ""],
        "settings": '{"temperature": 0}', "variables": "[]",
    }  # fmt: skip

    made = post(alice, cast, "new/", **form)

    version = PromptVersion.objects.get()
    assert made.headers["Location"].endswith("/prompts/at/support/triage/?version=1")
    assert version.body == [
        {"role": "system", "content": "Be {{tone}}.\nShort."},
        {"type": "messages", "name": "history"},
        {"role": "user", "content": "{{ticket}}"},
    ]
    assert (version.settings, version.prompt.tags) == ({"temperature": 0}, ["a", "b"])
    assert version.created_by == cast.alice


def test_a_text_is_written_and_saved_again(alice: Client, cast: Cast) -> None:
    post(alice, cast, "new/?kind=text", name="tone", text="Be kind.")

    again = post(alice, cast, "edit/tone/", text="Be kind.")
    newer = post(alice, cast, "edit/tone/", text="Be {{manner}}.", syntax="jinja")

    assert again.headers["Location"].endswith("?version=1")
    assert newer.headers["Location"].endswith("?version=2")
    assert Prompt.objects.get().versions_made == 2


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"role": ["user"], "content": ["fine\n {{#if}}"]}, "Message 1, line 2, column 2"),
        ({"role": ["user"], "content": ["x"], "settings": "{"}, "this is not JSON (line 1)"),
        ({"role": ["json"], "content": ["["]}, "Message 1: this is not JSON"),
        ({"role": [], "content": []}, "body must be a text, or a list of messages"),
        ({"role": ["user"], "content": ["x"], "name": "a b"}, "cannot name a prompt"),
        ({"role": ["user"], "content": ["{{> gone}}"]}, "There is no prompt “gone”"),
    ],
)
def test_a_mistake_is_told_and_nothing_typed_is_lost(
    alice: Client, cast: Cast, form: dict[str, Any], sentence: str
) -> None:
    answer = post(alice, cast, "new/", **{"name": "x", "message": "My words", **form})

    assert answer.status_code == 422
    text = answer.content.decode().replace("&quot;", '"').replace("&gt;", ">")
    assert sentence in text
    assert 'value="My words"' in text
    assert all(typed in text for typed in form.get("content", []))
    assert not Prompt.objects.exists()


def test_another_message_is_one_press_away(alice: Client, cast: Cast) -> None:
    form = {"role": ["system"], "content": ["Be kind."], "more": "1", "name": "x"}

    answer = post(alice, cast, "new/", **form)

    assert answer.status_code == 200
    assert answer.content.decode().count('name="content"') == 2
    assert not Prompt.objects.exists()


CONTENTS: list[dict[str, Any]] = [
    {"body": "Sort {{ticket}}.\n\nNow."},
    {"body": CHAT, "variables": [{"name": "question", "type": "text", "example": "Why?"}]},
    {
        "body": [{"role": "user", "content": [{"type": "text", "text": "{{x}}"}]}, *CHAT],
        "few_shot": [{"messages": CHAT[:1]}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_schema": {"type": "object"},
        "settings": {"temperature": 0.5},
    },
    {"body": "{% for x in xs %}{{ x }}{% endfor %}", "syntax": "jinja"},
]


@pytest.mark.parametrize("given", CONTENTS)
def test_what_the_editor_shows_saves_as_what_it_was(given: dict[str, Any]) -> None:
    content = checked(given)

    assert checked(draft_of(content).content()) == content


def test_the_page_shows_what_it_says_who_uses_it_and_why(alice: Client, cast: Cast) -> None:
    prompt = make_prompt(cast.project, body=CHAT, description="Sorts tickets", message="First try")
    make_version(prompt, CHAT[2:])
    point(prompt, "production", 1)
    for status in ("ok", "error"):
        make_request(cast.project, prompt_name=prompt.name, prompt_version=1, status=status)

    shown = page(alice, cast, "at/support/triage/")

    assert "<h2>Version 1</h2>" in shown
    assert "You answer <mark>{{product}}</mark> customers." in shown
    assert "First try" in shown
    assert "prompt.compile(product=product, question=question, history=history)" in shown
    assert "50.0 %" in shown
    assert "q=prompt%3Asupport%2Ftriage%401" in shown or "q=prompt%3A%22support" in shown
    assert "<h2>Version 2</h2>" in page(alice, cast, "at/support/triage/", version=2)


def test_what_changed_is_shown_word_by_word(alice: Client, cast: Cast) -> None:
    prompt = make_prompt(cast.project, body="Be kind to {{who}}.")
    make_version(prompt, "Be fair to {{who}}.", settings={"temperature": 1})

    shown = page(alice, cast, "diff/support/triage/")

    assert "<del>kind</del><ins>fair</ins>" in shown
    assert "<h2>Settings</h2>" in shown
    assert "The two are the same" in page(alice, cast, "diff/support/triage/", **{"from": 2})


def test_labels_are_moved_split_and_rolled_back(alice: Client, cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    make_version(prompt, "two")

    post(alice, cast, "move/support/triage/", label="production", version=1, reason="Start")
    post(alice, cast, "move/support/triage/", label="production", version=1, second=2, percent=25)
    split = fetch(cast.project, prompt.name).split
    shown = page(alice, cast, "at/support/triage/")
    post(alice, cast, "roll-back/support/triage/", label="production")

    assert split == [{"version": 1, "percent": 75}, {"version": 2, "percent": 25}]
    assert "1 (75 %) and 2 (25 %)" in shown
    assert "Roll back to 1" in shown
    assert "Start" in shown
    assert fetch(cast.project, prompt.name).split is None


def test_the_form_that_moves_a_label_begins_with_its_split(alice: Client, cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    make_version(prompt, "two")
    make_version(prompt, "three")
    split = {"version": 3, "second": [1, 2], "percent": [30, 10]}
    post(alice, cast, "move/support/triage/", label="staging", **split)

    moving = PromptReading(prompt, number=2, at=NOON).moving

    assert (moving.label, moving.version) == ("staging", 3)
    assert [(one.get("version"), one.get("percent")) for one in moving.others] == [
        (1, 30), (2, 10), (None, None), (None, None),
    ]  # fmt: skip
    assert "staging is 1 (30 %), 2 (10 %) and 3 (60 %) now." in page(
        alice, cast, "at/support/triage/"
    )


def test_the_form_that_moves_a_label_of_one_version_offers_the_one_looked_at(
    alice: Client, cast: Cast
) -> None:
    prompt = make_prompt(cast.project)
    make_version(prompt, "two")
    post(alice, cast, "move/support/triage/", label="production", version=1)

    moving = PromptReading(prompt, number=2, at=NOON).moving

    assert (moving.label, moving.version, moving.others) == ("production", 2, [{}] * 4)


def test_a_label_is_split_among_four_versions(alice: Client, cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    for text in ("two", "three", "four"):
        make_version(prompt, text)
    split = {"version": 4, "second": [1, "", 2, 3], "percent": [10, 10, 20, 5]}

    post(alice, cast, "move/support/triage/", label="production", **split)
    too_much = {"version": 4, "second": [1, 2], "percent": [60, 40]}
    post(alice, cast, "move/support/triage/", label="production", **too_much)

    shares = prompt.labels.get().shares
    assert [(one["version"], one["percent"]) for one in shares] == [
        (1, 10),
        (2, 20),
        (3, 5),
        (4, 65),
    ]
    shown = page(alice, cast, "at/support/triage/")
    assert "1 (10 %), 2 (20 %), 3 (5 %) and 4 (65 %)" in shown


def test_versions_are_listed_in_pages_and_each_is_reached(alice: Client, cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    for number in range(2, 61):
        make_version(prompt, f"text {number}")

    def listed(html: str) -> list[int]:
        table = html.partition('id="versions"')[2].partition("</section>")[0]
        return [int(one) for one in re.findall(r">(\d+)</a> ", table)]

    seen, address = [], "at/support/triage/"
    for start in (60, 35, 10):
        html = page(alice, cast, f"{address}?from={start}")
        seen += listed(html)

    assert seen == list(range(60, 0, -1))
    assert "from=35" in page(alice, cast, address)
    assert "from=35" in page(alice, cast, f"{address}?from=10")
    assert listed(page(alice, cast, f"{address}?from=999")) == list(range(60, 35, -1))


def test_a_version_is_tried_with_its_examples_and_with_other_values(cast: Cast) -> None:
    history = [{"role": "user", "content": "Hello again"}]
    make_prompt(
        cast.project,
        body=CHAT,
        variables=[
            {"name": "product", "example": "shoe <b>"},
            {"name": "history", "type": "list", "example": history},
            {"name": "question", "description": "What was asked"},
        ],
    )
    victor = signed_in(cast.victor)

    shown = page(victor, cast, "try/support/triage/?version=1")
    filled = post(
        victor,
        cast,
        "try/support/triage/",
        **{"v.product": "hat", "v.history": "[]", "v.question": "?"},
    )
    wrong = post(
        victor,
        cast,
        "try/support/triage/",
        **{"v.product": "hat", "v.history": "{", "v.question": ""},
    )

    assert "You answer shoe &lt;b&gt; customers." in shown
    assert "Hello again" in shown
    assert "{{question}}" in shown
    assert "You answer hat customers." in filled.content.decode()
    assert (filled.status_code, wrong.status_code) == (200, 422)
    assert "history is not JSON" in wrong.content.decode()
    assert "\nhat</textarea>" in wrong.content.decode()
    assert (
        victor.get(f"/p/{cast.project.slug}/prompts/try/support/triage/?version=9").status_code
        == 404
    )


def test_versions_tell_what_came_of_their_requests(alice: Client, cast: Cast) -> None:
    make_version(make_prompt(cast.project), "two")
    facts: dict[str, Any] = {
        "at": timezone.now(),
        "prompt_name": "support/triage",
        "model": "gpt-4.1",
    }
    usage = {"usage": {"prompt_tokens": 1000, "completion_tokens": 0}}
    asked = [
        make_request(cast.project, prompt_version=version, response=usage, **facts)
        for version in (1, 2, 2)
    ]
    for request, number in zip(asked, (0.25, 0.5, 1.0), strict=True):
        make_score(cast.project, "helpful", number=number, request=request)
    make_score(cast.project, "tone", label="kind", request=asked[0])

    found = outcomes_of(cast.project, "support/triage", at=timezone.now())
    shown = page(alice, cast, "at/support/triage/")

    assert {one: [(s.name, s.mean, s.many) for s in found[one].scores] for one in found} == {
        1: [("helpful", 0.25, 1)],
        2: [("helpful", 0.75, 2)],
    }
    assert found[2].cost == pytest.approx(0.004)
    assert "$0.0020" in shown
    assert "helpful: mean of 2" in shown


def test_a_protected_label_is_for_owners(alice: Client, cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    make_version(prompt, "two")
    point(prompt, "production", 1)
    post(alice, cast, "protect/support/triage/", label="production", protected=1)

    post(signed_in(cast.bob), cast, "move/support/triage/", label="production", version=2)
    refused = fetch(cast.project, prompt.name).version.number
    post(alice, cast, "move/support/triage/", label="production", version=2)

    assert refused == 1
    assert fetch(cast.project, prompt.name).version.number == 2
    assert "Unprotect" in page(alice, cast, "at/support/triage/")
    assert "Unprotect" not in page(signed_in(cast.bob), cast, "at/support/triage/")


def test_a_prompt_is_described_archived_and_deleted(alice: Client, cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    here = "support/triage/"

    post(alice, cast, f"describe/{here}", description="New words", tags="x, y,")
    post(alice, cast, f"put-away/{here}", do="archive")
    prompt.refresh_from_db()
    archived = prompt.archived_at
    shown = page(alice, cast, f"at/{here}")
    post(alice, cast, f"put-away/{here}", do="unarchive")
    post(alice, cast, f"put-away/{here}", do="delete")

    assert (prompt.description, prompt.tags) == ("New words", ["x", "y"])
    assert archived is not None
    assert "Take it up again" in shown
    assert not Prompt.objects.exists()


def test_hostile_contents_are_shown_as_text(alice: Client, cast: Cast) -> None:
    body = [{"role": "user", "content": HOSTILE + "{{x}}"}]
    prompt = make_prompt(
        cast.project, body=body, description=HOSTILE, message=HOSTILE, tags=[HOSTILE],
        variables=[{"name": "x", "description": HOSTILE, "example": HOSTILE}],
        settings={"x": HOSTILE},
    )  # fmt: skip
    make_version(prompt, [{"role": "user", "content": HOSTILE}])

    for path in ("", "at/support/triage/", "at/support/triage/?version=1", "diff/support/triage/",
                 "edit/support/triage/?version=1"):  # fmt: skip
        assert "<script>alert" not in page(alice, cast, path)


def test_marking_takes_no_longer_than_the_text_is_long() -> None:
    hungry = ["{#" * 200_000, "{%" * 200_000, "{{" * 200_000, "{{a" * 200_000, "{# a" * 200_000]

    assert [marked(text) for text in hungry] == hungry
    assert marked("{% if a %}<{{ b }}>{# c #}") == (
        "<mark>{% if a %}</mark>&lt;<mark>{{ b }}</mark>&gt;<mark>{# c #}</mark>"
    )


def test_what_is_not_there_is_not_found(alice: Client, cast: Cast) -> None:
    make_prompt(cast.project)

    for path in ("at/gone/", "edit/gone/", "diff/gone/", "at/support/triage/?version=9",
                 "diff/support/triage/?from=1&to=9", "at/%00/"):  # fmt: skip
        assert alice.get(f"/p/{cast.project.slug}/prompts/{path}").status_code == 404


def test_prompts_seen_in_the_log_are_a_tab(alice: Client, cast: Cast) -> None:
    make_request(cast.project, prompt_name="unsaved", prompt_version=3)

    assert "prompts/in-log/" in page(alice, cast)
    make_request(cast.project, prompt_name="saved", prompt_version=1)
    make_prompt(cast.project, "saved")

    shown = page(alice, cast, "in-log/")

    assert "unsaved" in shown
    assert shown.count("prompts/at/") == shown.count("prompts/at/saved/") == 1


@pytest.mark.parametrize("path", ["", "?q=p", "at/p0/", "edit/p0/", "diff/p0/", "new/"])
def test_pages_ask_the_database_little_however_much_there_is(
    alice: Client, cast: Cast, path: str
) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as asked:
            page(alice, cast, path)
        return len(asked)

    fill(cast, range(1))
    few = count()
    fill(cast, range(1, 6))
    for number in range(6):
        make_version(Prompt.objects.get(name="p0"), f"version {number}")
        point(Prompt.objects.get(name="p0"), f"label-{number}", number + 1)

    assert count() == few <= 15


def fill(cast: Cast, numbers: Any) -> None:
    for number in numbers:
        prompt = make_prompt(cast.project, f"p{number}")
        make_version(prompt, "another")
        point(prompt, "production", 1)
        make_request(cast.project, prompt_name=prompt.name, prompt_version=1)


def test_contents_are_what_versions_hold(cast: Cast) -> None:
    prompt = make_prompt(cast.project, body=CHAT)

    assert content_of(prompt.versions.get()) == checked({"body": CHAT})
