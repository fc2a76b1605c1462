"""Where the rows of a version come from: logged requests, and the prompts of those."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from requests_log.datasets.models import DatasetVersion, Example, VersionRow
from requests_log.models import RequestRow
from requests_log.search import Term

REQUESTS_LOOKED_AT = 1000
MOST_PROMPTS = 8


@dataclass(frozen=True)
class PromptSource:
    """A prompt version that rows of the dataset were logged under."""

    name: str
    version: int | None
    requests: int

    @property
    def query(self) -> str:
        """The query that finds its requests in the log."""
        suffix = "" if self.version is None else f"@{self.version}"
        return Term.of("prompt", f"{self.name}{suffix}").to_text()


def prompts_of(version: DatasetVersion) -> list[PromptSource]:
    """The commonest prompts among at most a thousand of the requests its rows came from."""
    rows = VersionRow.objects.filter(version=version, request_id__isnull=False)
    ids = rows.order_by("position").values("request_id")[:REQUESTS_LOOKED_AT]
    made = RequestRow.objects.in_project(version.dataset.project).filter(
        id__in=ids, prompt_name__isnull=False
    )
    counted = made.order_by().values("prompt_name", "prompt_version").annotate(n=Count("id"))
    return [
        PromptSource(row["prompt_name"] or "", row["prompt_version"], row["n"])
        for row in counted.order_by("-n", "prompt_name", "prompt_version")[:MOST_PROMPTS]
    ]


def provenance_of(version: DatasetVersion) -> list[tuple[str, int]]:
    """How many rows are from production, a teacher, people, imports; the most first."""
    rows = VersionRow.objects.filter(version=version).order_by().values("provenance")
    names = dict(Example.Provenance.choices)
    counted = rows.annotate(n=Count("position")).order_by("-n", "provenance")
    return [(str(names.get(row["provenance"], row["provenance"])), row["n"]) for row in counted]
