"""Beginning from a starting point: all of its parts in a project, or none of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from evals.judges.actions import create_judge
from evals.judges.models import Judge, JudgeVersion
from evals.pipelines.actions import create_pipeline
from evals.pipelines.models import Pipeline
from prompts.actions import create_prompt, move_label
from prompts.models import Prompt
from prompts.names import PRODUCTION
from prompts.resolving import compiled, fetch
from requests_log.datasets.actions import add_examples, create_dataset, freeze_version
from requests_log.datasets.models import Dataset, DatasetVersion
from workbench.core.actions import create_project
from workbench.core.models import Project, Role, User
from workbench.providers.models import Connection
from workbench.providers.refs import known_refs
from workbench.shell.starting.library import ANSWER, PROMPT, TEACHER, Point
from workbench.shell.starting.models import Start

USUAL_TEACHER = "openai/gpt-5-mini"
HELDOUT = 30
INPUTS = "inputs"


def start_project(
    point: Point, *, name: str, owner: User | None, at: datetime, teacher: str = ""
) -> Start:
    """Make a project that begins with a starting point.

    Raises:
        InvalidInput: no name for the project, or a teacher that is no model ref.
    """
    with transaction.atomic():
        project = create_project(name=name, owner=owner)
        return add_to(project, point, by=owner, at=at, teacher=teacher)


def add_to(
    project: Project, point: Point, *, by: User | None, at: datetime, teacher: str = ""
) -> Start:
    """Put a starting point into a project: prompt, datasets, judge and pipeline, or nothing.

    Where a name is taken, every part gets the same number behind its name. `teacher` is the model
    of the pipeline and the judge; left out, the project's first one, or else a usual one.

    Raises:
        InvalidInput: the teacher is no model ref.
        BadStep: the project has connections, and none of them serves it.
    """
    teacher = teacher.strip() or usual_teacher(project)
    with transaction.atomic():
        # two at once take turns, so that each finds names of its own
        Project.objects.select_for_update().get(pk=project.pk)
        return _Making(project, point, teacher, by, at, _free_number(project, point)).make()


def usual_teacher(project: Project) -> str:
    """The model that a starting point asks unless somebody chooses another."""
    connected = (ref for ref in known_refs(project) if "/" in ref)
    return next(connected, USUAL_TEACHER)


def has_connection(project: Project) -> bool:
    """Whether a model of the project can be asked; without one, any may be named beforehand."""
    return Connection.objects.in_project(project).of_models().exists()


class _Making:
    """One starting point being put into one project."""

    def __init__(
        self,
        project: Project,
        point: Point,
        teacher: str,
        by: User | None,
        at: datetime,
        number: int,
    ) -> None:
        self.project, self.point, self.teacher = project, point, teacher
        self.by, self.at, self.number = by, at, number
        self.prompt_name = numbered(point.prompt["name"], number, "-")

    def make(self) -> Start:
        self._prompt()
        inputs, examples = self._inputs(), self._examples()
        judge, pipeline = self._judge(), self._pipeline()
        return Start.objects.create(
            project=self.project, point=self.point.name, prompt=self.prompt_name,
            inputs_id=inputs.pk, examples_id=examples.pk if examples else None,
            judge_id=judge.judge_id if judge else None, pipeline_id=pipeline.pk,
            created_by=self.by, created_at=self.at,
        )  # fmt: skip

    def _prompt(self) -> None:
        said = self.point.prompt
        saved = create_prompt(
            self.project, name=self.prompt_name, content=self.point.content, by=self.by,
            at=self.at, description=said["description"], tags=said["tags"],
            message=self._begun_with(),
        )  # fmt: skip
        move_label(
            saved.version.prompt, label=PRODUCTION, version=saved.version.number, by=self.by,
            at=self.at, role=Role.EDITOR,
        )  # fmt: skip

    def _inputs(self) -> DatasetVersion:
        """What the pipeline runs over: values by name, the written answer among them."""
        rows = [{"inputs": row} for row in self.point.rows]
        return self._dataset(f"{self._dataset_name()} {INPUTS}", rows, heldout=0)

    def _examples(self) -> DatasetVersion | None:
        """What models are compared and trained on: the prompt with values put in, answered."""
        if not self.point.has_answers:
            return None
        content = fetch(self.project, self.prompt_name).content
        rows = [self._example(compiled(content, row), row[ANSWER]) for row in self.point.rows]
        return self._dataset(self._dataset_name(), rows, heldout=HELDOUT)

    @staticmethod
    def _example(asked: object, answer: str) -> dict[str, Any]:
        messages = asked if isinstance(asked, list) else [{"role": "user", "content": asked}]
        return {"messages": [*messages, {"role": "assistant", "content": answer}]}

    def _dataset(self, name: str, rows: list[dict[str, Any]], *, heldout: int) -> DatasetVersion:
        about = self.point.dataset["description"]
        dataset = create_dataset(self.project, name=name, by=self.by, description=about)
        add_examples(dataset, rows=rows)
        split = (100 - heldout, heldout)
        return freeze_version(
            dataset, by=self.by, at=self.at, split=split, notes=self._begun_with()
        )

    def _judge(self) -> JudgeVersion | None:
        settings, said = self.point.judging, self.point.judge
        if settings is None or said is None:
            return None
        saved = create_judge(
            self.project, name=numbered(said["name"], self.number), model_ref=self.teacher,
            settings=settings, by=self.by, at=self.at, description=said["description"],
            message=self._begun_with(),
        )  # fmt: skip
        return saved.version

    def _pipeline(self) -> Pipeline:
        said = self.point.pipeline
        return create_pipeline(
            self.project, name=numbered(said["name"], self.number), by=self.by,
            description=said["description"],
            steps=steps_of(self.point, teacher=self.teacher, prompt=self.prompt_name),
            models_later=not has_connection(self.project),
        )  # fmt: skip

    def _dataset_name(self) -> str:
        return numbered(self.point.dataset["name"], self.number)

    def _begun_with(self) -> str:
        return f"From the starting point “{self.point.title}”."


def steps_of(point: Point, *, teacher: str, prompt: str = "") -> list[dict[str, Any]]:
    """The steps of its pipeline with a teacher and the prompt's name put in."""
    meant = {TEACHER: teacher, PROMPT: prompt or point.prompt["name"]}
    filled: list[dict[str, Any]] = _filled(point.pipeline["steps"], meant)
    return filled


def numbered(name: str, number: int, between: str = " ") -> str:
    """The name, with its number from the second on."""
    return name if number == 1 else f"{name}{between}{number}"


def _free_number(project: Project, point: Point) -> int:
    """The first number under which every part finds its name free."""
    number = 1
    while _is_taken(project, point, number):
        number += 1
    return number


def _is_taken(project: Project, point: Point, number: int) -> bool:
    name = numbered(point.dataset["name"], number)
    slugs = [slugify(name), slugify(f"{name} {INPUTS}")]
    prompt = numbered(point.prompt["name"], number, "-")
    judge = numbered(point.judge["name"], number) if point.judge else ""
    found = (
        Prompt.objects.in_project(project).filter(name__iexact=prompt),
        Dataset.objects.in_project(project).filter(slug__in=slugs),
        Judge.objects.in_project(project).filter(name__iexact=judge),
        Pipeline.objects.in_project(project).filter(name=numbered(point.pipeline["name"], number)),
    )
    return any(rows.exists() for rows in found)


def _filled(given: Any, meant: Mapping[str, str]) -> Any:
    """The same, with what stands for something put in."""
    if isinstance(given, str):
        return meant.get(given, given)
    if isinstance(given, list):
        return [_filled(one, meant) for one in given]
    if isinstance(given, dict):
        return {name: _filled(one, meant) for name, one in given.items()}
    return given
