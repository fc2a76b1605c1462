"""How a ref such as `capital-letter@production` becomes an address to call."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db.models import Q, Window
from django.db.models.functions import Now, RowNumber

from finetunes.actions.registry import find_version
from finetunes.models import Alias, Engine, ModelVersion
from finetunes.supervision.engine_models import engine_id
from workbench.core.errors import NotFound
from workbench.core.models import Project
from workbench.providers.refs import ENGINE, Endpoint, EngineStarting, ModelRef, UnknownModel

WANTED_FOR = timedelta(minutes=30)
RENEW_BEFORE = timedelta(minutes=25)
RUNNER_SEEN_WITHIN = timedelta(seconds=15)
NEWEST_LISTED = 5


def resolve_registered(project: Project, ref: ModelRef) -> Endpoint | None:
    """The engine that serves a registered model; None for a ref that is not one.

    Raises:
        UnknownModel: the model is registered, but not this alias or version.
        EngineStarting: the engine is coming up (asked for by this very call).
    """
    if not ref.name or not _is_ours(project, ref.name):
        return None
    try:
        version = find_version(project, ref.text)
    except NotFound as problem:
        raise UnknownModel(problem.sentence) from problem
    engine = _engine_serving(engine_id(version))
    return Endpoint(
        base_url=f"{engine.url}/v1",
        api_key=engine.token,
        model=engine_id(version),
        kind=ENGINE,
        label=version.ref,
        private=True,
    )


def registered_refs(project: Project) -> Iterable[str]:
    """Aliases first, then the newest versions of each model."""
    aliases = Alias.objects.filter(model__project=project).select_related("model")
    yield from (str(alias) for alias in aliases.order_by("model__name", "name"))
    rank = Window(RowNumber(), partition_by="model", order_by="-number")
    newest = ModelVersion.objects.in_project(project).annotate(rank=rank)
    listed = newest.filter(rank__lte=NEWEST_LISTED).order_by("model__name", "-number")
    for name, number in listed.values_list("model__name", "number"):
        yield f"{name}:{number}"


def want_engine() -> Engine:
    """Ask this host's runner to have its engine up for the next half hour."""
    engine, _ = Engine.objects.get_or_create(host=settings.RUNNER_HOST)
    soon = Q(wanted_until=None) | Q(wanted_until__lt=Now() + RENEW_BEFORE)
    Engine.objects.filter(soon, pk=engine.pk).update(wanted_until=Now() + WANTED_FOR)
    return engine


def _engine_serving(model_id: str) -> Engine:
    """The engine that answers, once its list of models holds this one."""
    engine = want_engine()
    alive = Engine.objects.alive().filter(pk=engine.pk).first()
    if alive is not None and model_id in alive.serves:
        return alive
    runner = Engine.objects.filter(pk=engine.pk, runner_seen_at__gt=Now() - RUNNER_SEEN_WITHIN)
    if not runner.exists():
        raise EngineStarting(
            "No runner is at work on this host, so no engine can be started. "
            "Start `manage.py runner`."
        )
    raise EngineStarting(_why_not_yet(engine, model_id))


def _why_not_yet(engine: Engine, model_id: str) -> str:
    """A sentence about a model that cannot be called at this moment."""
    if model_id in engine.unserved:
        return str(engine.unserved[model_id])
    starting = "The engine is starting. Ask again in a few seconds."
    return f"{starting} {engine.problem}".rstrip()


def _is_ours(project: Project, name: str) -> bool:
    return ModelVersion.objects.in_project(project).filter(model__name=name).exists()
