"""How far a person's data went: calls, examples, frozen versions, models."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from requests_log.datasets.canonical import group_fingerprint
from requests_log.datasets.downstream import Dependent, dependents_of
from requests_log.datasets.models import DatasetVersion, Example, VersionRow
from requests_log.models import LoggedSpan, RequestRow
from workbench.core.errors import InvalidInput
from workbench.core.models import Project

LONGEST = 500


@dataclass(frozen=True)
class Reach:
    """What is there of a subject now."""

    requests: int
    spans: int
    examples: int
    versions: list[DatasetVersion]
    dependents: list[Dependent]

    @property
    def is_empty(self) -> bool:
        return not (self.requests or self.spans or self.examples or self.versions)


def read_subject(text: str) -> str:
    """The user id that was sent with the calls.

    Raises:
        InvalidInput: there is none, or it cannot be one.
    """
    if not text.strip() or len(text) > LONGEST or "\x00" in text:
        raise InvalidInput(f"Give the user's id as it was logged, up to {LONGEST} characters.")
    return text


def reach_of(project: Project, subject: str) -> Reach:
    """Look for a subject by the user id of calls, and by groups of that user."""
    theirs = theirs_in(project, subject)
    held = VersionRow.objects.filter(theirs, version__dataset__project=project)
    versions = list(
        DatasetVersion.objects.in_project(project)
        .filter(pk__in=held.values("version"))
        .select_related("dataset")
        .order_by("dataset__name", "number")
    )
    return Reach(
        RequestRow.objects.in_project(project).filter(end_user=subject).count(),
        LoggedSpan.objects.filter(project=project, end_user=subject).count(),
        Example.objects.filter(theirs, dataset__project=project).count(),
        versions,
        dependents_of([version.pk for version in versions]),
    )


def theirs_in(project: Project, subject: str) -> Q:
    """Examples or version rows that came from the subject's calls or belong to their group."""
    calls = RequestRow.objects.in_project(project).filter(end_user=subject)
    group = group_fingerprint(f"user:{subject}")
    return Q(request_id__in=calls.values("id")) | Q(fingerprint=group)
