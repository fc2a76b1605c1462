"""Versions are immutable and without gaps; labels move with a history; the database guards both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from prompts import actions
from prompts.models import LabelMove, LabelTarget, Prompt, PromptLabel, PromptVersion
from prompts.rendering.problems import BadTemplate, MissingVariables
from prompts.rendering.snippets import SnippetCycle
from prompts.resolving import compiled, fetch
from tests.conftest import Cast
from tests.factories import make_project, nobody_stays
from tests.prompts.factories import CHAT, NOON, make_prompt, make_version, point
from workbench.core.errors import InvalidInput, NotAllowed, NotFound
from workbench.core.models import Role


def mover(role: Role | None = Role.EDITOR) -> dict[str, Any]:
    return {"by": None, "at": NOON, "role": role}


def test_versions_count_from_one_without_gaps(cast: Cast) -> None:
    prompt = make_prompt(cast.project)

    for number in range(2, 5):
        make_version(prompt, f"Sort {{{{ticket}}}}, {number}")

    assert list(prompt.versions.order_by("number").values_list("number", flat=True)) == [1, 2, 3, 4]


def test_the_same_content_is_the_version_there_is(cast: Cast) -> None:
    prompt = make_prompt(cast.project, body="one")
    make_version(prompt, "two")

    again = make_version(prompt, "one")

    assert (again.version.number, again.is_new) == (1, False)
    assert prompt.versions.count() == 2


def test_variables_found_join_those_described(cast: Cast) -> None:
    described = {"name": "ticket", "type": "text", "description": "What they wrote"}
    prompt = make_prompt(cast.project, body="{{ticket}} {{user.name}}", variables=[described])

    assert prompt.versions.get().variables == [described, {"name": "user", "type": "object"}]


def test_keys_stay_in_the_order_written(cast: Cast) -> None:
    schema = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "null"}}}
    prompt = make_prompt(cast.project, response_schema=schema)

    kept = prompt.versions.get().response_schema

    assert list(kept["properties"]) == ["z", "a"]
    swapped = {"type": "object", "properties": dict(reversed(schema["properties"].items()))}  # type: ignore[attr-defined]
    assert make_version(prompt, "Sort {{ticket}}.", response_schema=swapped).is_new


@pytest.mark.parametrize(
    "content",
    [
        {"body": ""},
        {"body": 3},
        {"body": []},
        {"body": [{"role": "nobody", "content": "x"}]},
        {"body": [{"role": "user"}]},
        {"body": [{"type": "messages", "name": "not a name"}]},
        {"body": "x", "syntax": "erb"},
        {"body": "x", "variables": [{"name": "a", "type": "date"}]},
        {"body": "x", "variables": [{"name": "a"}, {"name": "a"}]},
        {"body": "x", "few_shot": [{"messages": [{"role": "user", "content": "x"}]}]},
        {"body": "x", "settings": []},
        {"body": "x\0"},
        {"body": "\ud800"},
        {"body": "x", "settings": {"temperature": float("inf")}},
        {"body": "x" * (1 << 21)},
        {"body": "{{#if}}"},
        {"body": "{{ x", "syntax": "jinja"},
    ],
)
def test_content_that_makes_no_sense_is_refused(cast: Cast, content: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        actions.create_prompt(cast.project, name="x", content=content, by=None, at=NOON)

    assert not Prompt.objects.exists()


def test_a_problem_names_the_message_the_line_and_the_column(cast: Cast) -> None:
    body = [*CHAT, {"role": "user", "content": "fine\n  {{#if}}"}]

    with pytest.raises(BadTemplate, match="Message 4, line 2, column 3"):
        make_prompt(cast.project, body=body)


def test_a_name_is_given_once_whatever_the_case(cast: Cast) -> None:
    make_prompt(cast.project, "support/Triage")
    make_prompt(cast.other_project, "support/triage")

    with pytest.raises(actions.NameTaken, match="Save a version"):
        make_prompt(cast.project, "support/triage")


def test_a_text_stays_a_text(cast: Cast) -> None:
    with pytest.raises(InvalidInput, match="is a text, and stays so"):
        make_version(make_prompt(cast.project), CHAT)


UPDATES = ["body = '\"x\"'", "message = 'x'", "number = 7", "content_hash = 'x'", "settings = '{}'"]


@pytest.mark.parametrize("change", UPDATES)
def test_the_database_refuses_to_change_a_version(cast: Cast, change: str) -> None:
    make_prompt(cast.project, settings={"temperature": 0}, message="first")

    with (
        pytest.raises(IntegrityError, match="save a new version"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE prompts_promptversion SET {change}")  # noqa: S608 - from above


def test_who_made_a_version_may_be_forgotten(cast: Cast) -> None:
    saved = actions.create_prompt(
        cast.project, name="x", content={"body": "x"}, by=cast.bob, at=NOON
    )

    cast.bob.delete()

    saved.version.refresh_from_db()
    assert saved.version.created_by is None


def test_the_database_refuses_a_gap(cast: Cast) -> None:
    version = make_prompt(cast.project).versions.get()

    with pytest.raises(IntegrityError, match="follows"), transaction.atomic():
        PromptVersion.objects.create(
            prompt=version.prompt, number=3, syntax="mustache", body="x", content_hash="x",
            created_at=NOON,
        )  # fmt: skip


def immediately() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def refused(change: Callable[[], object], match: str) -> None:
    """The change fails at once, or when it would be committed."""

    def changed() -> None:
        with transaction.atomic():
            change()
            immediately()

    with pytest.raises(IntegrityError, match=match):
        changed()


def test_the_database_refuses_to_drop_a_version(cast: Cast) -> None:
    prompt = make_prompt(cast.project)

    refused(PromptVersion.objects.filter(prompt=prompt).delete, "keeps its versions")


def test_the_database_wants_shares_that_sum_to_100(cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    point(prompt, "production", 1)
    empty = PromptLabel(prompt=prompt, name="empty", moved_at=NOON)

    refused(lambda: LabelTarget.objects.update(percent=90), "sum to 100")
    refused(empty.save, "sum to 100")


def test_the_database_keeps_latest_for_itself_and_labels_to_their_prompt(cast: Cast) -> None:
    prompt, other = make_prompt(cast.project), make_prompt(cast.project, "other")
    targets = LabelTarget.objects.filter(label=point(prompt, "production", 1))
    latest = PromptLabel(prompt=prompt, name="latest", moved_at=NOON)

    refused(latest.save, "not_latest")
    refused(lambda: targets.update(version=other.versions.get()), "its own prompt")


def test_a_label_moves_and_its_history_tells(cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    make_version(prompt, "two")

    point(prompt, "production", 1)
    actions.move_label(
        prompt, label="production", version=2, by=cast.bob, at=NOON, role=Role.EDITOR, reason="!"
    )
    point(prompt, "production", 2)

    moves = list(LabelMove.objects.order_by("pk").values_list("before", "after", "reason"))
    one, two = [[{"version": n, "percent": 100}] for n in (1, 2)]
    assert moves == [([], one, ""), (one, two, "!")]
    assert fetch(cast.project, "support/triage").version.number == 2


def test_a_protected_label_moves_by_an_owner_only(cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    make_version(prompt, "two")
    point(prompt, "production", 1)
    actions.protect_label(prompt, label="production", protected=True, **mover(Role.OWNER))

    for role in (Role.EDITOR, None):
        with pytest.raises(NotAllowed, match="protected"):
            actions.move_label(prompt, label="production", version=2, **mover(role))
        with pytest.raises(NotAllowed, match="protected"):
            actions.remove_label(prompt, label="production", **mover(role))
    with pytest.raises(NotAllowed):
        actions.protect_label(prompt, label="production", protected=False, **mover(Role.EDITOR))

    point(prompt, "production", 2)
    assert fetch(cast.project, "support/triage").version.number == 2


@pytest.mark.parametrize(
    "split",
    [[], [(1, 50)], [(1, 50), (2, 51)], [(1, 50), (1, 50)], [(1, 100), (2, 0)]],
)
def test_a_split_that_makes_no_sense_is_refused(cast: Cast, split: list[tuple[int, int]]) -> None:
    prompt = make_prompt(cast.project)
    make_version(prompt, "two")
    shares = [{"version": version, "percent": percent} for version, percent in split]

    with pytest.raises(InvalidInput):
        actions.set_split(prompt, label="production", split=shares, **mover())


def test_a_split_gives_a_key_always_the_same_version(cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    make_version(prompt, "two")
    shares = [{"version": 1, "percent": 80}, {"version": 2, "percent": 20}]
    actions.set_split(prompt, label="production", split=shares, **mover())

    def got(key: str) -> int:
        return fetch(cast.project, prompt.name, key=key).version.number

    drawn = Counter(got(f"user {n}") for n in range(300))
    assert 30 <= drawn[2] <= 90
    assert len({got("Ada") for _ in range(5)}) == 1
    assert {got("") for _ in range(80)} == {1, 2}
    assert fetch(cast.project, prompt.name).split == shares
    assert fetch(cast.project, prompt.name, label="latest").split is None


def test_rolling_back_goes_back_and_further_back(cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    for number in (2, 3):
        make_version(prompt, f"version {number}")
    for number in (1, 2, 3):
        point(prompt, "production", number)

    reached = [
        actions.roll_back(prompt, label="production", **mover()).shares[0]["version"]
        for _ in range(2)
    ]

    assert reached == [2, 1]
    with pytest.raises(actions.NothingToRollBackTo):
        actions.roll_back(prompt, label="production", **mover())
    with pytest.raises(NotFound):
        actions.roll_back(prompt, label="staging", **mover())


def test_what_is_labelled_or_taken_in_is_not_deleted(cast: Cast) -> None:
    prompt = make_prompt(cast.project, "tone", "Be kind.")
    user = make_prompt(cast.project, "letter", "{{> tone}} Write.")
    point(prompt, "production", 1)

    with pytest.raises(actions.InUse, match="production"):
        actions.delete_prompt(prompt, by=None, at=NOON)
    actions.remove_label(prompt, label="production", **mover())
    with pytest.raises(actions.InUse, match="letter:1 takes in"):
        actions.delete_prompt(prompt, by=None, at=NOON)
    actions.delete_prompt(user, by=None, at=NOON)
    actions.delete_prompt(prompt, by=None, at=NOON)
    immediately()

    assert not Prompt.objects.exists()


def test_a_project_goes_with_its_prompts(cast: Cast) -> None:
    point(make_prompt(cast.project), "production", 1)

    cast.project.delete()
    immediately()

    assert not Prompt.objects.exists()


def test_an_archived_prompt_is_fetched_and_takes_no_version(cast: Cast) -> None:
    prompt = actions.archive(make_prompt(cast.project), by=None, at=NOON)

    with pytest.raises(actions.Archived):
        make_version(prompt, "two")

    assert fetch(cast.project, prompt.name).version.number == 1
    assert make_version(actions.unarchive(prompt, by=None, at=NOON), "two").is_new


def test_snippets_are_put_in_at_the_fetch(cast: Cast) -> None:
    tone = make_prompt(cast.project, "parts/tone", "Be {{manner}}.")
    prompt = make_prompt(cast.project, body="{{> parts/tone}} Sort {{ticket}}.")
    make_version(tone, "Be very {{manner}}.")

    newest = fetch(cast.project, prompt.name).content
    point(tone, "production", 1)
    settled = fetch(cast.project, prompt.name).content

    assert newest.body == "Be very {{manner}}. Sort {{ticket}}."
    assert settled.body == "Be {{manner}}. Sort {{ticket}}."
    assert [one["name"] for one in settled.variables] == ["ticket", "manner"]


def test_a_snippet_that_is_not_there_is_refused_at_the_save(cast: Cast) -> None:
    for name in ("nobody", "nobody@live", "nobody:2", "a b"):
        with pytest.raises((NotFound, InvalidInput)):
            make_prompt(cast.project, body=f"{{{{> {name}}}}}")


def test_a_snippet_is_a_text_of_the_same_syntax(cast: Cast) -> None:
    make_prompt(cast.project, "chat", CHAT)
    make_prompt(cast.project, "jinja", "{% if x %}{% endif %}", syntax="jinja")

    with pytest.raises(InvalidInput, match="only a text"):
        make_prompt(cast.project, body="{{> chat}}")
    with pytest.raises(InvalidInput, match="one syntax"):
        make_prompt(cast.project, body="{{> jinja}}")


def test_a_cycle_is_refused_at_the_save_and_at_the_move(cast: Cast) -> None:
    a = make_prompt(cast.project, "a", "A")
    make_prompt(cast.project, "b", "{{> a}}")

    with pytest.raises(SnippetCycle, match="a → b → a"):
        make_version(a, "{{> b}}")

    point(a, "production", 1)
    assert a.versions.count() == 1


def test_messages_are_compiled_with_examples_and_history(cast: Cast) -> None:
    shots = [{"messages": [{"role": "user", "content": "Hi from {{product}}"},
                           {"role": "assistant", "content": "Hello"}]}]  # fmt: skip
    make_prompt(cast.project, body=CHAT, few_shot=shots)
    content = fetch(cast.project, "support/triage").content
    history = [{"role": "user", "content": "{{not read}}"}]

    done = compiled(content, {"product": "Still", "question": "Why?", "history": history})

    assert isinstance(done, list)
    assert [message["content"] for message in done] == [
        "You answer Still customers.", "Hi from Still", "Hello", "{{not read}}", "Why?",
    ]  # fmt: skip
    with pytest.raises(MissingVariables, match="product, question, history"):
        compiled(content, {})
    with pytest.raises(InvalidInput, match="list of messages"):
        compiled(content, {"product": "", "question": "", "history": "x"})


def test_parts_of_a_message_are_rendered_and_others_kept(cast: Cast) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/{{no}}.png"}}
    body = [{"role": "user", "content": [{"type": "text", "text": "See {{what}}"}, image]}]
    make_prompt(cast.project, body=body)

    done = compiled(fetch(cast.project, "support/triage").content, {"what": "this"})

    assert done == [{"role": "user", "content": [{"type": "text", "text": "See this"}, image]}]


def test_jinja_is_shorter_than_other_text(cast: Cast) -> None:
    long = "{{ a }}" * 30_000
    make_prompt(cast.project, "mustache", long)
    make_prompt(cast.project, "part", "{{ a }}" * 10_000, syntax="jinja")

    for body in (long, "{{> part}}" * 3):
        with pytest.raises(InvalidInput, match="128 KiB"):
            make_prompt(cast.project, "jinja", body, syntax="jinja")


@pytest.mark.django_db(transaction=True)
def test_versions_saved_at_once_have_no_gap_and_none_is_lost() -> None:
    with nobody_stays():
        project = make_project()
        prompt = make_prompt(project)

        def save(number: int) -> int:
            try:
                return make_version(prompt, f"text {number % 6}").version.number
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            told = list(pool.map(save, range(12)))

        assert sorted(prompt.versions.values_list("number", flat=True)) == list(range(1, 8))
        assert sorted(set(told)) == list(range(2, 8))
        project.delete()
