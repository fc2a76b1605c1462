"""Candidates that ask through a prompt of the registry, and after worked examples."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from evals.actions import CandidateSpec, start_comparison
from evals.export import as_html, as_json
from evals.models import Candidate, Cell, Comparison
from prompts.actions import create_prompt, save_version
from requests_log.datasets.actions import add_examples, create_dataset, freeze_version
from requests_log.datasets.models import DatasetVersion
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.factories import NOON, make_connection, make_version
from workbench.core.errors import InvalidInput, NotFound
from workbench.core.models import Job, Project
from workbench.core.queue import perform

ASK: dict[str, Any] = {"body": [{"role": "system", "content": "Be short."},
                {"role": "user", "content": "Say: {{text}}"}]}  # fmt: skip


def make_prompt(project: Project, name: str = "geo/ask", **content: Any) -> Any:
    saved = create_prompt(project, name=name, content=content or ASK, by=None, at=NOON)
    return saved.version.prompt


def compare(
    cast: Cast, version: DatasetVersion, *specs: CandidateSpec, split: str = "heldout"
) -> Comparison:
    return start_comparison(
        cast.project, name="Try", dataset_version=version, candidates=specs, by=None, split=split
    )


def run(comparison: Comparison) -> Comparison:
    assert comparison.job is not None
    perform(comparison.job.pk, holder="test")
    job = Job.objects.get(pk=comparison.job.pk)
    assert (job.state, job.error) == ("succeeded", "")
    return comparison


def sent(provider: Provider) -> list[list[dict[str, str]]]:
    return [body["messages"] for body in provider.bodies]


def test_the_version_that_a_prompt_is_at_the_start_is_asked_through(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    prompt = make_prompt(cast.project)
    made = compare(
        cast, make_version(cast.project), CandidateSpec("short", "local/good", "geo/ask@latest")
    )
    later = {"body": [{"role": "user", "content": "Now this: {{text}}"}]}
    save_version(prompt, content=later, by=None, at=NOON)

    run(made)

    assert Candidate.objects.get().prompt == "geo/ask:1"
    assert all(one[0] == {"role": "system", "content": "Be short."} for one in sent(provider))
    assert {one[1]["content"] for one in sent(provider)} == {
        f"Say: Question {n}?" for n in range(6)
    }


def test_a_prompt_without_variables_stands_before_the_rows_conversation(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    make_prompt(cast.project, body="Answer in French.")
    rows = [{"role": "system", "content": "Old"}, {"role": "user", "content": "Question 1?"},
            {"role": "assistant", "content": "Answer 1"}]  # fmt: skip
    dataset = create_dataset(cast.project, name="Talk", by=None)
    add_examples(dataset, rows=[{"messages": rows}])
    version = freeze_version(dataset, by=None, at=NOON, split=(0, 100))

    run(compare(cast, version, CandidateSpec("fr", "local/good", "geo/ask")))

    assert sent(provider) == [[{"role": "system", "content": "Answer in French."}, rows[1]]]


def test_a_response_schema_is_asked_for(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    make_prompt(cast.project, **ASK, response_schema={"type": "object"})

    run(
        compare(
            cast, make_version(cast.project, rows=1), CandidateSpec("a", "local/good", "geo/ask")
        )
    )

    assert provider.bodies[0]["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_examples_are_of_the_other_side_of_the_split_and_the_same_for_all(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    version = make_version(cast.project, rows=40, heldout=50)
    train = {row["messages"][0]["content"] for row in version.rows("train")}

    run(compare(cast, version, CandidateSpec("few", "local/good", few_shot=2)))

    shots = {tuple(one["content"] for one in body[:-1]) for body in sent(provider)}
    assert len(shots) == 1
    first = shots.pop()
    assert [len(first), first[0] in train, first[2] in train] == [4, True, True]
    assert first[1] == first[0].replace("Question", "Answer").rstrip("?")


def test_no_example_is_of_the_rows_own_group_nor_asks_the_same(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    groups = {"Question 0?": "a", "Question 1?": "a", "Question 2?": "a", "Question 3?": "b",
              "Question 4?": "b"}  # fmt: skip
    dataset = create_dataset(cast.project, name="Grouped", by=None)
    add_examples(dataset, rows=[
        *(row(asked, asked.replace("Question", "Answer")[:-1], group)
          for asked, group in groups.items()),
        row("Question 4?", "Told elsewhere", "c"),
    ])  # fmt: skip
    version = freeze_version(dataset, by=None, at=NOON, split=(0, 100))

    run(compare(cast, version, CandidateSpec("few", "local/good", few_shot=5)))

    for body in sent(provider):
        *shots, asked = [one["content"] for one in body if one["role"] == "user"]
        assert shots
        assert asked not in shots
        if asked != "Question 4?":
            assert groups[asked] not in {groups[shot] for shot in shots if shot != "Question 4?"}


def row(question: str, answer: str, group: str) -> dict[str, Any]:
    asked = {"role": "user", "content": question}
    return {"messages": [asked, {"role": "assistant", "content": answer}], "group": group}


def test_examples_go_through_the_prompt_too(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    make_prompt(cast.project)
    version = make_version(cast.project, rows=3)

    run(compare(cast, version, CandidateSpec("both", "local/good", "geo/ask", 1)))

    body = sent(provider)[0]
    assert [one["role"] for one in body] == ["system", "user", "assistant", "user"]
    assert body[1]["content"].startswith("Say: Question")
    assert Cell.objects.graded().count() == 3


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"body": "{{name}} of {{land}}"}, "takes “land”, “name”"),
        ({"body": "Repeat {{answer}}"}, "takes “answer”"),
    ],
)
def test_a_prompt_that_rows_cannot_fill_is_refused_at_the_start(
    cast: Cast, content: dict[str, Any], sentence: str
) -> None:
    make_prompt(cast.project, **content)

    with pytest.raises(InvalidInput, match=sentence):
        compare(cast, make_version(cast.project), CandidateSpec("a", "local/good", "geo/ask"))


def test_what_is_not_there_or_too_much_is_refused(cast: Cast) -> None:
    version = make_version(cast.project)

    with pytest.raises(NotFound, match="no prompt “nowhere”"):
        compare(cast, version, CandidateSpec("a", "local/good", "nowhere"))
    with pytest.raises(InvalidInput, match="6 rows, too few to show 6"):
        compare(cast, version, CandidateSpec("a", "local/good", few_shot=6))
    with pytest.raises(InvalidInput, match="0 to 16 examples"):
        compare(cast, version, CandidateSpec("a", "local/good", few_shot=17))


def test_the_form_the_page_and_the_report_tell_of_both(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    make_prompt(cast.project)
    version = make_version(cast.project, rows=4)
    lines = {
        "form-0-model_ref": "local/good", "form-1-model_ref": "local/good",
        "form-1-prompt": "geo/ask", "form-1-few_shot": "2",
    }  # fmt: skip
    whole = {
        "version": version.pk, "split": "heldout", "temperature": "0", "max_tokens": "50",
        "grader": "exact", "form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "0", **lines,
    }  # fmt: skip

    refused = alice.post("/p/support/evals/new/", whole | {"form-1-prompt": "geo/nowhere"})
    answer = alice.post("/p/support/evals/new/", whole)

    assert refused.status_code == 422
    assert "There is no prompt “geo/nowhere”" in refused.content.decode()
    made = run(Comparison.objects.get())
    assert [one.label for one in made.candidates.order_by("position")] == [
        "local/good", "local/good, geo/ask, 2 examples",
    ]  # fmt: skip
    assert "with geo/ask:1, 2 examples" in alice.get(answer["Location"]).content.decode()
    assert "with geo/ask:1, 2 examples" in as_html(made)
    told = json.loads(b"".join(as_json(made)))["candidates"][1]
    assert (told["prompt"], told["few_shot"]) == ("geo/ask:1", 2)
    again = alice.get(f"/p/support/evals/new/?like={made.pk}").content.decode()
    assert 'value="geo/ask:1"' in again


def test_the_api_takes_and_tells_both(api: Client, cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    make_prompt(cast.project)
    version = make_version(cast.project, rows=3)
    candidate = {"label": "a", "model_ref": "local/good", "prompt": "geo/ask:1", "few_shot": 1}
    body = {"name": "Try", "dataset": version.dataset.slug, "version": 1, "candidates": [candidate]}

    made = api.post("/api/v1/comparisons", body, content_type="application/json")

    assert made.status_code == 201, made.content
    run(Comparison.objects.get())
    told = api.get(f"/api/v1/comparisons/{made.json()['id']}").json()["candidates"][0]
    assert (told["prompt"], told["few_shot"]) == ("geo/ask:1", 1)
