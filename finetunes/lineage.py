"""Where a model version comes from, down to the logged requests and their prompts."""

from __future__ import annotations

from dataclasses import dataclass

from finetunes.models import ModelVersion
from requests_log.datasets.origins import REQUESTS_LOOKED_AT, PromptSource, prompts_of


@dataclass(frozen=True)
class Lineage:
    """`requests` counts the rows that came from a logged request; `prompts` is what a sample of
    at most a thousand of them was made with."""

    version: ModelVersion
    requests: int
    prompts: list[PromptSource]

    @property
    def bytes(self) -> int:
        return size_of(self.version)

    @property
    def is_sample(self) -> bool:
        return self.requests > REQUESTS_LOOKED_AT


def lineage_of(version: ModelVersion) -> Lineage:
    """The version's sources; two queries when it was trained here, none otherwise."""
    dataset_version = version.dataset_version
    if dataset_version is None:
        return Lineage(version, 0, [])
    return Lineage(
        version, dataset_version.request_ids().order_by().count(), prompts_of(dataset_version)
    )


def size_of(version: ModelVersion) -> int:
    """Bytes of the version's files."""
    return sum(int(file.get("bytes") or 0) for file in version.artifacts)
