"""A prompt, a table and a teacher become a frozen version, by API and with OpenAI's client."""

from __future__ import annotations

import csv
import io
from typing import Any

import openai
from django.test import Client

from evals.pipelines.models import Call, Run
from requests_log.datasets.models import DatasetVersion, Example
from tests.conftest import Cast
from tests.evals.answering import Provider, ProviderThread
from tests.evals.factories import make_connection
from tests.evals.pipelines.factories import perform_run
from workbench.core.models import Job
from workbench.core.queue import perform

TABLE = [
    {"city": f"City {n}", "answer": f"Land {n}", "region": ("north", "south")[n % 2]}
    for n in range(100)
]


def send(api: Client, path: str, body: Any) -> Any:
    answered = api.post(f"/api/v1/{path}", body, content_type="application/json")
    assert answered.status_code < 300, answered.content
    return answered.json()


def test_a_prompt_a_table_and_a_teacher_become_a_frozen_version(api: Client, cast: Cast) -> None:
    thread = ProviderThread()
    teacher = thread.start()
    try:
        teacher.rules["teacher"] = lambda question: question.replace(
            "In which land is City", "Land"
        )
        _journey(api, cast, teacher)
    finally:
        thread.stop()


def _journey(api: Client, cast: Cast, teacher: Provider) -> None:
    _the_teacher_answers_the_real_client(teacher)
    make_connection(cast.project, teacher.url)
    prompt = {"name": "geo/land", "body": "In which land is {{city}}", "kind": "text"}
    send(api, "prompts", prompt)
    asked = {"model": "local/teacher", "prompt": "geo/land", "parameters": {"max_tokens": 20}}
    graded = {"answer": "teacher", "grader": "exact"}
    steps = [
        {"name": "teacher", "kind": "prompt", "settings": asked},
        {"name": "right", "kind": "grade", "settings": graded},
        {"name": "good", "kind": "filter", "settings": {"value": "right", "than": "1"}},
    ]
    pipeline = send(api, "pipelines", {"name": "Lands", "steps": steps})

    started = send(api, f"pipelines/{pipeline['id']}/runs", {"csv": _csv(TABLE)})
    run = perform_run(Run.objects.get(pk=started["id"]))

    assert (run.state, run.note) == ("done", "")
    assert run.pinned["teacher"]["ref"] == "geo/land:1"
    assert Call.objects.of_run(run).counts()["done"] == 100
    send(api, "datasets", {"name": "Lands"})
    made = send(
        api,
        f"pipeline-runs/{run.pk}/results",
        {
            "to": "dataset",
            "dataset": "lands",
            "answer": "teacher",
            "tags": {"region": "{{region}}", "batch": "first"},
        },
    )
    perform(Job.objects.get(pk=made["job"]).pk, holder="test")
    assert Job.objects.get(pk=made["job"]).result == {"added": 100}
    assert Example.objects.filter(provenance="teacher").count() == 100
    south = api.get("/api/v1/datasets/lands/examples", {"tag": ["region:south", "batch:first"]})
    assert {one["tags"]["region"] for one in south.json()["examples"]} == {"south"}
    frozen = send(api, "datasets/lands/versions", {"heldout": 20, "tags": {"region": "south"}})
    version = DatasetVersion.objects.get(dataset__slug="lands", number=frozen["number"])
    first = next(version.rows())
    assert (version.row_count, version.filter_text) == (50, "tag.region:south")
    assert {int(row["messages"][1]["content"].split()[1]) % 2 for row in version.rows()} == {1}
    assert first["messages"][0]["content"].startswith("In which land is City")
    assert first["messages"][1]["content"].startswith("Land")


def _the_teacher_answers_the_real_client(teacher: Provider) -> None:
    with openai.OpenAI(base_url=teacher.url, api_key="any") as client:
        said = client.chat.completions.create(
            model="teacher", messages=[{"role": "user", "content": "In which land is City 7"}]
        )
    assert said.choices[0].message.content == "Land 7"


def _csv(rows: list[dict[str, str]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
