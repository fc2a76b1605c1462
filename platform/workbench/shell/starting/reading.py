"""Where a project that began with a starting point stands: its parts, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from evals.judges.models import Judge
from evals.models import JUDGE, Comparison
from evals.pipelines.models import Pipeline, Run
from finetunes.models import TrainingRun
from prompts.models import Prompt
from requests_log.datasets.models import DatasetVersion
from workbench.core.models import Project
from workbench.shell.starting.actions import has_connection
from workbench.shell.starting.library import ORDER, Point, point_named
from workbench.shell.starting.models import Start


@dataclass(frozen=True)
class Part:
    """Something that was made: what it is, what it is called, where it is."""

    what: str
    name: str
    url: str


@dataclass(frozen=True)
class NextStep:
    """A step on the way to a model: what to do, where, and whether it was done."""

    label: str
    sentence: str
    url: str
    done: bool


class StartReading:
    """A start as it stands now; what was deleted since is left out."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.project: Project = start.project

    @property
    def point(self) -> Point | None:
        """None where a later version of Stillhouse no longer has it."""
        return point_named(self.start.point) if self.start.point in ORDER else None

    @property
    def title(self) -> str:
        return self.point.title if self.point else self.start.point

    @cached_property
    def parts(self) -> list[Part]:
        return list(self._parts())

    @cached_property
    def steps(self) -> list[NextStep]:
        return list(self._steps())

    @property
    def next_step(self) -> NextStep | None:
        return next((step for step in self.steps if not step.done), None)

    @cached_property
    def inputs(self) -> DatasetVersion | None:
        return self._version(self.start.inputs_id)

    @cached_property
    def examples(self) -> DatasetVersion | None:
        return self._version(self.start.examples_id)

    @cached_property
    def judge(self) -> Judge | None:
        rows, key = Judge.objects.in_project(self.project), self.start.judge_id
        return rows.filter(pk=key).first() if key else None

    @cached_property
    def pipeline(self) -> Pipeline | None:
        rows = Pipeline.objects.in_project(self.project)
        return rows.filter(pk=self.start.pipeline_id).first()

    def _parts(self) -> Iterator[Part]:
        if Prompt.objects.in_project(self.project).filter(name=self.start.prompt).exists():
            yield Part("Prompt", self.start.prompt, self._at("prompts:prompt", self.start.prompt))
        for what, version in (("Rows to run over", self.inputs), ("Examples", self.examples)):
            if version is not None:
                slug = version.dataset.slug
                yield Part(what, version.dataset.name, self._at("datasets:dataset", slug))
        if self.judge is not None:
            yield Part("Judge", self.judge.name, self._at("judges:judge", self.judge.pk))
        if self.pipeline is not None:
            place = self._at("pipelines:pipeline", self.pipeline.pk)
            yield Part("Pipeline", self.pipeline.name, place)

    def _steps(self) -> Iterator[NextStep]:
        connected = has_connection(self.project)
        yield NextStep(
            "Connect a provider", "The teacher is asked there, with a key of yours.",
            self._at("providers:new-connection"), connected,
        )  # fmt: skip
        if self.pipeline is not None and self.inputs is not None:
            runs = Run.objects.filter(pipeline=self.pipeline, is_test=False)
            ran = runs.exclude(state=Run.State.FAILED).exists()
            place = self._at("pipelines:edit", self.pipeline.pk, version=self.inputs.pk)
            yield NextStep(
                "Run the pipeline", "Test it on one row, see the price, then let it answer all.",
                place, ran,
            )  # fmt: skip
        if self.examples is not None:
            yield from self._with_examples(self.examples)

    def _with_examples(self, version: DatasetVersion) -> Iterator[NextStep]:
        compared = Comparison.objects.in_project(self.project).filter(dataset_version=version)
        yield NextStep(
            "Compare models", "Which one answers the held-out rows best, and at what price?",
            self._at("evals:new", version=version.pk, **self._grading()), compared.exists(),
        )  # fmt: skip
        trained = TrainingRun.objects.in_project(self.project).filter(dataset_version=version)
        yield NextStep(
            "Train a model of your own", "On these rows, or better on many more of yours.",
            self._at("finetunes:new-run", version=version.pk), trained.exists(),
        )  # fmt: skip

    def _grading(self) -> dict[str, str]:
        grading = self.point.grading if self.point else None
        return {"grader": grading["grader"]} if grading and grading["grader"] != JUDGE else {}

    def _version(self, key: UUID | None) -> DatasetVersion | None:
        rows = DatasetVersion.objects.in_project(self.project).select_related("dataset")
        return rows.filter(pk=key).first() if key else None

    def _at(self, name: str, *args: object, **query: object) -> str:
        place = reverse(name, args=[self.project.slug, *args])
        return f"{place}?{urlencode(query)}" if query else place


def starts_of(project: Project) -> list[StartReading]:
    """What a project began with, newest first."""
    found = Start.objects.in_project(project).newest_first().select_related("project")
    return [StartReading(start) for start in found[:10]]
