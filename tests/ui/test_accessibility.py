"""No page has an accessibility fault that axe-core calls serious or critical, in either theme."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from evals.documents.making.starting import Asking, start_pairs
from evals.documents.models import Making, Pair
from evals.human.actions import finish_study
from evals.human.rating import Said
from requests_log.datasets.actions import add_examples, freeze_version
from requests_log.datasets.models import Example
from requests_log.datasets.tags import tag_examples
from requests_log.tagging import Tagging
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_request, make_requests, make_row
from tests.evals.documents.factories import make_documents
from tests.evals.human.factories import (
    ALL_ANSWERED,
    EVERY_KIND,
    judge,
    make_rating_study,
    make_side_by_side,
)
from tests.evals.judges.factories import make_judge
from tests.evals.online.test_running import make_monitor, measured
from tests.evals.pipelines.factories import make_pipeline, perform_run, step
from tests.evals.pipelines.factories import make_run as make_pipeline_run
from tests.journeys.browsing import CHROMIUM, Watch, browser, crawl
from tests.prompts.factories import CHAT, make_prompt, make_version, point
from tests.registry.factories import make_model, make_run
from workbench.core.models import Job
from workbench.providers.actions import save_connection
from workbench.shell.starting.actions import add_to
from workbench.shell.starting.library import point_named

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
FAULTS = """async (rules) => {
  const only = rules.length ? {runOnly: {type: "rule", values: rules}} : {};
  const found = await axe.run(document, {resultTypes: ["violations"], ...only});
  return found.violations
    .filter((fault) => ["serious", "critical"].includes(fault.impact))
    .flatMap((fault) => fault.nodes.map((node) => {
      const why = [...node.any, ...node.all, ...node.none].map((check) => check.message).join(" ");
      return `${fault.id}: ${node.html.slice(0, 160)} (${why.slice(0, 200)})`;
    }));
}"""
RULES = {"light": [], "dark": ["color-contrast", "link-in-text-block"]}
"""What is looked for in each theme; nothing named means everything."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="needs the browser Chromium on the path"),
]


@pytest.fixture
def project_with_everything(
    live_server: LiveServer, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something to see on every page."""
    # The live server's threads let go of the test database after each request.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    save_connection(
        cast.project, name="openai", base_url="https://api.openai.com/v1", by=cast.alice,
        model_names=["gpt-4o", "unheard-of"],
    )  # fmt: skip
    make_requests(
        cast.project, 4, tags={"route": "checkout"}, prompt_name="triage", prompt_version=1
    )
    make_request(cast.project, answer=None, status="error", error_type="rate_limit")
    dataset = make_dataset(cast.project, name="Checkout", rows=20)
    version = freeze_version(dataset, by=cast.alice, at=NOON, split=(60, 40), notes="first")
    add_examples(dataset, rows=[make_row("What is it?", "Question 1?")])
    make_model(cast.project, versions=2)
    prompt = make_prompt(cast.project, "support/triage", CHAT, description="Sorts", tags=["a"])
    make_version(prompt, CHAT[2:], settings={"temperature": 0})
    make_judge(cast.project)
    point(prompt, "production", 1)
    point(prompt, "production", 2)
    make_run(cast.project, dataset_version=version)
    make_pipeline_run(make_pipeline(cast.project))
    look = step("human", "looked", answer="question", instructions="Is it right?")
    asked = make_pipeline(cast.project, look, name="Looked at")
    perform_run(make_pipeline_run(asked, [{"question": "Is it?", "n": n} for n in range(2)]))
    tag_examples(
        dataset,
        ids=list(Example.objects.in_dataset(dataset).values_list("pk", flat=True)),
        tagging=Tagging("topic", "refunds"),
    )
    documents = make_documents(cast.project)
    making = start_pairs(documents, asking=Asking("openai/gpt-4o"), by=cast.alice)
    Pair.objects.create(
        making=making, number=1, document="a.md", chunk="We refund.", question="Do we refund?",
        answer="We do.", verdict="supported", reason="It says so.",
    )  # fmt: skip
    Making.objects.filter(pk=making.pk).update(gathered_at=NOON)
    measured(make_monitor(cast.project, alert_below=0.9))
    add_to(cast.project, point_named("moderation"), by=cast.alice, at=NOON, teacher="openai/gpt-4o")
    # before the finished one, whose comparison is then the newest: this one is closed to Alice
    judge(make_side_by_side(cast.project, rows=2), cast.alice, Said(choice="left"))
    rated = make_rating_study(cast.project, EVERY_KIND, rows=1, per_item=2)
    for by in (cast.alice, cast.bob):
        judge(rated, by, *[Said(ALL_ANSWERED)] * 2)
    finish_study(rated, at=NOON)
    Job.objects.create(project=cast.project, kind="test", title="Something long", total=9, done=3)


@pytest.mark.usefixtures("project_with_everything")
def test_no_page_has_a_serious_fault(live_server: LiveServer, cast: Cast, alice: Client) -> None:
    name = settings.SESSION_COOKIE_NAME
    cookie = {"name": name, "value": alice.cookies[name].value, "url": str(live_server)}
    faults: dict[str, set[str]] = {}

    def look(page: Page) -> None:
        page.evaluate(AXE.read_text("utf-8"))
        for theme, rules in RULES.items():
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            for fault in page.evaluate(FAULTS, rules):
                faults.setdefault(f"{fault} [{theme}]", set()).add(page.url)

    with browser() as chromium:
        context = chromium.new_context(
            viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
        )
        context.add_cookies([cookie])  # type: ignore[list-item]
        home = f"/p/{cast.project.slug}/"
        also = [f"{home}start/", f"{home}start/moderation/"]
        visited = crawl(context, Watch(str(live_server)), home, look, also)

    assert len(visited) > 20
    assert f"/p/{cast.project.slug}/playground/" in {path.partition("?")[0] for path in visited}
    assert {fault: sorted(pages)[:3] for fault, pages in faults.items()} == {}
