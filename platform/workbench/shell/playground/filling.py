"""Values for the variables: from a row of a dataset, or from a logged call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404

from requests_log.datasets.canonical import answer_text, text_of
from requests_log.datasets.models import Dataset, Example
from requests_log.models import LoggedRequest
from workbench.core.errors import InvalidInput, NotFound
from workbench.core.models import Project
from workbench.shell.playground.opening import variable_rows
from workbench.shell.playground.state import Document

MOST_DATASETS = 200


@dataclass(frozen=True)
class Filled:
    """Values by name, and where they are from: row `row` of `total` of a dataset, both from 1."""

    variables: list[Document]
    expected: str = ""
    example: str = ""
    row: int = 0
    total: int = 0


def datasets_of(project: Project) -> list[Dataset]:
    """Those to choose among, by name."""
    return list(Dataset.objects.in_project(project).order_by("name", "pk")[:MOST_DATASETS])


def from_row(project: Project, slug: str, row: int) -> Filled:
    """The values of a dataset's row; rows count from 1, in the order they were added.

    A conversation gives what its logged call had as variables, and beside it `question` (the last
    that the user said), `system`, `messages` (all but the answer) and `answer`.

    Raises:
        InvalidInput: there is no such row.
    """
    dataset = get_object_or_404(Dataset.objects.in_project(project), slug=slug)
    rows = Example.objects.in_dataset(dataset)
    total = rows.count()
    if not 1 <= row <= total:
        has = "has no rows" if not total else f"has rows 1 to {total:,}"
        raise InvalidInput(f"“{dataset}” {has}.")
    example = rows.select_related("content").order_by("pk")[row - 1]
    values = _of_conversation(example.content.body) | _logged_with(project, example)
    expected = values.get("answer", "")
    return Filled(variable_rows(values), str(expected), str(example.pk), row, total)


def from_request(project: Project, request_id: UUID) -> Filled:
    """The variables of a logged call.

    Raises:
        NotFound: it is not in the log, or was logged without variables.
    """
    rows = LoggedRequest.objects.in_project(project).filter(id=request_id)
    found = rows.values_list("variables", flat=True).first()
    if not isinstance(found, dict) or not found:
        raise NotFound("There is no such call in this project, or it was logged without variables.")
    return Filled(variable_rows(found))


def _of_conversation(body: dict[str, Any]) -> dict[str, Any]:
    if "inputs" in body:
        return dict(body["inputs"])
    if "text" in body:
        return {name: body[name] for name in ("text", "title") if name in body}
    *asked, answer = body["messages"]
    said = {message["role"]: text_of(message.get("content")) for message in asked}
    named = {"system": said.get("system"), "question": said.get("user")}
    known = {name: value for name, value in named.items() if value}
    return known | {"messages": asked, "answer": answer_text(answer)}


def _logged_with(project: Project, example: Example) -> dict[str, Any]:
    if example.request_id is None:
        return {}
    rows = LoggedRequest.objects.in_project(project).filter(id=example.request_id)
    found = rows.values_list("variables", flat=True).first()
    return found if isinstance(found, dict) else {}
