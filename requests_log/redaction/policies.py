"""Which policy a project has, known by every process within `FRESH_SECONDS`.

A version never changes, so it is compiled once. A policy that cannot be compiled withholds
everything: it was meant to keep something out.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from django.db import InterfaceError, OperationalError

from requests_log.redaction.models import PolicyVersion
from requests_log.redaction.rules import Ruleset, compiled, read_rules
from workbench.core.hotcache import DatabaseAway, HotCache
from workbench.core.perloop import PerLoop

logger = logging.getLogger(__name__)

FRESH_SECONDS = 4.0
STALE_SECONDS = 3600.0
"""How long the last known policy is applied while the database cannot be asked; longer than keys
are let in without it."""


class PolicyUnknown(Exception):
    """The database is away and the project's policy was not seen lately."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A version whose rules cannot be applied: everything it covers is withheld."""

    number: int


Policy = Ruleset | Unusable | None

_caches: PerLoop[HotCache[Policy]] = PerLoop()
_generation = 0


async def policy_of(project_id: int) -> Policy:
    """The policy in force, None when there is none.

    Raises:
        PolicyUnknown: it cannot be asked for now.
    """
    cache = _caches.get()
    if cache is None:
        cache = _caches.put(HotCache(seconds=FRESH_SECONDS, stale_seconds=STALE_SECONDS))
    try:
        return await cache.get((project_id, _generation), lambda: read_policy(project_id))
    except DatabaseAway as problem:
        raise PolicyUnknown from problem


def is_without(project_id: int) -> bool:
    """Whether it is known just now that the project has no policy; False says nothing."""
    cache = _caches.get()
    kept = None if cache is None else cache.settled((project_id, _generation))
    return kept is not None and kept.answer is None


def read_policy(project_id: int) -> Policy:
    """The policy in force, asked of the database."""
    newest = PolicyVersion.objects.filter(project_id=project_id).newest_first()
    found = newest.values_list("number", "enabled").first()
    if found is None or not found[1]:
        return None
    return _version(project_id, found[0])


def forget() -> None:
    """Ask again at the next use: this process saved a version. Others notice by themselves."""
    global _generation
    _generation += 1
    with _lock:
        _known.clear()


@lru_cache(maxsize=256)
def _version(project_id: int, number: int) -> Ruleset | Unusable:
    document = PolicyVersion.objects.values_list("document", flat=True).get(
        project_id=project_id, number=number
    )
    try:
        return compiled(read_rules(document), number=number, project_id=project_id)
    except Exception:
        logger.exception(
            "A redaction policy cannot be applied: content is withheld",
            extra={"project": project_id, "version": number},
        )
        return Unusable(number)


_known: dict[int, tuple[float, Policy]] = {}
_lock = Lock()


def policy_now(project_id: int) -> Policy:
    """The same for code that runs in a thread of its own, such as jobs.

    Raises:
        PolicyUnknown: it cannot be asked for now.
    """
    now = time.monotonic()
    with _lock:
        known = _known.get(project_id)
    if known is not None and now < known[0] + FRESH_SECONDS:
        return known[1]
    try:
        policy = read_policy(project_id)
    except (OperationalError, InterfaceError) as problem:
        if known is None or now > known[0] + STALE_SECONDS:
            raise PolicyUnknown from problem
        return known[1]
    with _lock:
        _known[project_id] = now, policy
    return policy
