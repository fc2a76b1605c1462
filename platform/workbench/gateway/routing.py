"""From a model ref to the endpoint that serves it, remembered for moments."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from workbench.core.errors import DomainError
from workbench.core.hotcache import DatabaseAway, HotCache
from workbench.core.models import Project
from workbench.gateway.answers import Refusal
from workbench.providers.refs import Endpoint, EngineStarting, known_refs, resolve

FRESH_SECONDS = 2.0
STALE_SECONDS = 900.0
ENGINE_WAIT_SECONDS = 30.0
ENGINE_LOOK_SECONDS = 0.5
ENGINE_RETRY_AFTER = 10


class Routes:
    """Resolves refs for one event loop.

    A change of a connection counts after FRESH_SECONDS. What was resolved, credentials included,
    stays in memory for STALE_SECONDS after its last use, to serve calls while the database is
    away.
    """

    def __init__(self) -> None:
        self._endpoints: HotCache[Endpoint] = HotCache(
            seconds=FRESH_SECONDS, stale_seconds=STALE_SECONDS
        )

    async def endpoint(self, project_id: int, ref: str) -> Endpoint:
        """Where to send a call for the ref; waits a while for an engine that is starting.

        Raises:
            Refusal: unknown model, engine not up in time, or the database is away.
        """
        give_up = asyncio.get_running_loop().time() + ENGINE_WAIT_SECONDS
        while True:
            try:
                return await self._endpoints.get(
                    (project_id, ref), lambda: resolve(Project.objects.get(pk=project_id), ref)
                )
            except EngineStarting as starting:
                if asyncio.get_running_loop().time() >= give_up:
                    raise _refusal(starting, retry_after=ENGINE_RETRY_AFTER) from starting
            except DomainError as problem:
                raise _refusal(problem) from problem
            except DatabaseAway as away:
                raise database_away() from away
            await asyncio.sleep(ENGINE_LOOK_SECONDS)

    def forget(self) -> None:
        """Resolve everything anew."""
        self._endpoints.clear()


class Models:
    """The refs of a project, for `/v1/models`."""

    def __init__(self) -> None:
        self._known: HotCache[Sequence[str]] = HotCache(
            seconds=FRESH_SECONDS, stale_seconds=STALE_SECONDS
        )

    async def of_project(self, project_id: int) -> Sequence[str]:
        """Every ref that can be named, registered models first.

        Raises:
            Refusal: the database is away.
        """
        try:
            return await self._known.get(
                project_id, lambda: known_refs(Project.objects.get(pk=project_id))
            )
        except DatabaseAway as away:
            raise database_away() from away


def database_away() -> Refusal:
    return Refusal(
        503,
        "database_unavailable",
        "Stillhouse cannot reach its database. Try again in a moment.",
        kind="api_error",
        retry_after=2,
    )


def _refusal(problem: DomainError, *, retry_after: int | None = None) -> Refusal:
    is_callers = problem.status < 500
    return Refusal(
        problem.status,
        problem.code,
        problem.sentence,
        kind="invalid_request_error" if is_callers else "api_error",
        param="model" if is_callers else None,
        retry_after=retry_after,
    )
