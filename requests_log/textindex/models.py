"""The tables of the text index."""

from __future__ import annotations

from django.db import models

from workbench.core.models import Project


class TextSegment(models.Model):
    """Which grams some requests of a project hold; written by `sealing`, read by `candidates`.

    `ids` are the requests' ids, 16 bytes each, in the order of their places.
    """

    id = models.BigAutoField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    oldest = models.UUIDField()
    newest = models.UUIDField()
    calls = models.IntegerField()
    ids = models.BinaryField()
    starts = models.BinaryField()
    postings = models.BinaryField()

    class Meta:
        db_table = "requests_log_text_segment"
        indexes = [models.Index(fields=["project", "-newest", "-id"], name="text_segment_newest")]

    def __str__(self) -> str:
        return f"{self.calls} requests up to {self.newest}"


class TextWaiting(models.Model):
    """A digested request that no segment holds yet; a search looks at its text itself."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    id = models.UUIDField()

    class Meta:
        db_table = "requests_log_text_waiting"

    def __str__(self) -> str:
        return f"waiting {self.id}"
