"""An example to try a judge on, taken from what the project has."""

from __future__ import annotations

from evals.graders.questions import asked_text
from requests_log.datasets.canonical import answer_text
from requests_log.datasets.models import VersionRow
from workbench.core.models import Project

INVENTED = {
    "question": "What is the capital of Australia?",
    "answer": "Sydney is the capital of Australia.",
    "expected": "Canberra",
}


def example_of(project: Project) -> dict[str, str]:
    """A row of the newest frozen version whose expected answer stands for the answer, too; an
    invented one where there is none."""
    rows = VersionRow.objects.filter(version__dataset__project=project).select_related("content")
    row = rows.order_by("-version__created_at", "position").first()
    if row is None:
        return INVENTED
    messages = row.content.body.get("messages", [])
    question, last = messages[:-1], messages[-1:]  # rows to run over may have none
    if not question or last[0].get("role") != "assistant":
        return INVENTED
    answer = answer_text(last[0])
    return {"question": asked_text(question), "answer": answer, "expected": answer}
