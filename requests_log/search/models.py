"""What the query language looks at beside the requests themselves."""

from __future__ import annotations

from django.db import models

from requests_log.querysets import InProjectQuerySet
from workbench.core.models import Project


class RequestScoreQuerySet(InProjectQuerySet["RequestScore"]):
    """Scores by the request they are about."""


class RequestScore(models.Model):
    """A score of a request, its own or its trace's (a view): what `score.NAME:` looks at."""

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    request_id = models.UUIDField()
    name = models.TextField()
    number = models.FloatField(null=True)
    label = models.TextField(null=True)
    comment = models.TextField(null=True)

    objects = RequestScoreQuerySet.as_manager()

    class Meta:
        app_label = "requests_log"
        managed = False
        db_table = "requests_log_request_score"

    def __str__(self) -> str:
        return f"{self.name} of {self.request_id}"
