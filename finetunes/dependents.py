"""Runs, models and deployments that came of a dataset version, for its lineage."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q
from django.urls import reverse

from finetunes.models import Alias, ModelVersion, TrainingRun
from requests_log.datasets.downstream import Dependent, Kind


def trained_on(versions: Sequence[UUID]) -> list[Dependent]:
    """What learned from these versions, also through a model that was trained further."""
    runs = {run.pk: run for run in _runs(Q(dataset_version__in=versions))}
    models: dict[int, ModelVersion] = {}
    news = _models(Q(dataset_version__in=versions) | Q(run__in=runs))
    while news:
        models |= {model.pk: model for model in news}
        further = _runs(_based_on(news))
        runs |= {run.pk: run for run in further}
        news = [model for model in _models(Q(run__in=further)) if model.pk not in models]
    aliases = Alias.objects.filter(version__in=models).select_related("model__project", "version")
    return [
        *(_run(run) for run in runs.values()),
        *(_model(model) for model in models.values()),
        *(_alias(alias) for alias in aliases),
    ]


def _runs(condition: Q) -> list[TrainingRun]:
    return list(TrainingRun.objects.filter(condition).select_related("project"))


def _models(condition: Q) -> list[ModelVersion]:
    return list(ModelVersion.objects.filter(condition).select_related("model__project", "run"))


def _based_on(models: Sequence[ModelVersion]) -> Q:
    """Runs that started from these models, which they name as `name:number`."""
    return Q(
        project__in={model.model.project_id for model in models},
        base_model__in=[model.ref for model in models],
    )


def _run(run: TrainingRun) -> Dependent:
    url = reverse("finetunes:run", args=[run.project.slug, run.pk])
    return Dependent(Kind.RUN, run.name, url, f"{run.get_state_display()}, on {run.base_model}")


def _model(model: ModelVersion) -> Dependent:
    url = reverse("finetunes:model", args=[model.model.project.slug, model.model.name])
    note = f"from “{model.run.name}”" if model.run else ""
    return Dependent(Kind.MODEL, model.ref, f"{url}?version={model.number}", note)


def _alias(alias: Alias) -> Dependent:
    url = reverse("finetunes:model", args=[alias.model.project.slug, alias.model.name])
    return Dependent(Kind.ALIAS, str(alias), url, f"points at version {alias.version.number}")
