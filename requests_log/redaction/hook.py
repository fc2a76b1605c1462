"""The one place every item passes before it is stored, encoded or spooled.

`redact_items` is for the event loop, `redact_items_now` for jobs. A project without a policy pays
a dictionary look-up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

from django.db import connections

from requests_log.calls import Item
from requests_log.redaction.engine import Withheld, Work, redacted_text
from requests_log.redaction.items import FAILED, WITHHELD_TEXT, redacted, withheld
from requests_log.redaction.models import add_withheld
from requests_log.redaction.policies import (
    Policy,
    PolicyUnknown,
    Unusable,
    is_without,
    policy_now,
    policy_of,
)
from requests_log.redaction.rules import Place, Ruleset

logger = logging.getLogger(__name__)

AnyItem = TypeVar("AnyItem", bound=Item)
Policies = Mapping[int, Policy]
WORTH_A_THREAD = 8 << 10
LIGHT_STEPS = 2_000
"""Bytes of items, or RE2 instructions, above which redacting would hold up the event loop."""
THREADS = 2
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="redaction")


def is_nothing_to_redact(items: Sequence[Item]) -> bool:
    """Whether it is known without asking that no policy applies; False says nothing."""
    return all(map(is_without, _projects(items)))


async def redact_items(items: Sequence[AnyItem]) -> Sequence[AnyItem]:
    """The items as they may be stored: the same ones when no policy applies.

    Raises:
        PolicyUnknown: the database is away and it is not known which policy applies.
    """
    policies = {project: await policy_of(project) for project in _projects(items)}
    if not any(policies.values()):
        return items
    if _is_quick(items, policies):
        done, counts = _apply(items, policies)
    else:
        loop = asyncio.get_running_loop()
        done, counts = await loop.run_in_executor(_threads, _apply, items, policies)
    if counts:
        await asyncio.get_running_loop().run_in_executor(_threads, _count, counts)
    return done


def redact_items_now(items: Sequence[AnyItem]) -> Sequence[AnyItem]:
    """The same in a thread that may ask the database itself.

    Raises:
        PolicyUnknown: the database is away and it is not known which policy applies.
    """
    policies = {project: policy_now(project) for project in _projects(items)}
    if not any(policies.values()):
        return items
    done, counts = _apply(items, policies)
    if counts:
        _record(counts)
    return done


async def redact_or_withhold(items: Sequence[AnyItem]) -> Sequence[AnyItem]:
    """Like `redact_items`, for what must be kept now: without its content if need be."""
    try:
        return await redact_items(items)
    except PolicyUnknown:
        logger.warning("Content is withheld: it is not known what must be redacted")
    except Exception:
        logger.exception("Content is withheld: it could not be redacted")
    return [withheld(item) for item in items]


async def redact_name(project_id: int, text: str) -> str:
    """A name that is stored beside the log, such as a client's reason for what it dropped.

    Raises:
        PolicyUnknown: the database is away and it is not known which policy applies.
    """
    policy = await policy_of(project_id)
    if policy is None:
        return text
    if isinstance(policy, Unusable):
        return WITHHELD_TEXT
    try:
        return redacted_text(text, Work(policy)) if Place.NAMES in policy.places else text
    except Withheld:
        return WITHHELD_TEXT


def _projects(items: Sequence[AnyItem]) -> set[int]:
    return {item.project_id for item in items}


def _is_due(item: AnyItem, policies: Policies) -> bool:
    policy = policies[item.project_id]
    return policy is not None and item.redaction != policy.number


def _is_quick(items: Sequence[AnyItem], policies: Policies) -> bool:
    """Whether it is done in about a millisecond, so that the event loop need not be spared."""
    size = sum(item.size for item in items if _is_due(item, policies))
    rulesets = [policy for policy in policies.values() if isinstance(policy, Ruleset)]
    return size <= WORTH_A_THREAD and all(one.steps <= LIGHT_STEPS for one in rulesets)


def _apply(
    items: Sequence[AnyItem], policies: Policies
) -> tuple[list[AnyItem], Counter[tuple[int, str]]]:
    done, counts = [], Counter[tuple[int, str]]()
    for item in items:
        made, reasons = _one(item, policies)
        done.append(made)
        counts.update((item.project_id, reason) for reason in reasons)
    return done, counts


def _one(item: AnyItem, policies: Policies) -> tuple[AnyItem, list[str]]:
    policy = policies[item.project_id]
    if policy is None or not _is_due(item, policies):
        return item, []
    if isinstance(policy, Unusable):
        return withheld(item, number=policy.number), [FAILED]
    try:
        return redacted(item, policy)
    except Exception:
        logger.exception("An item could not be redacted: its content is withheld")
        return withheld(item, number=policy.number), [FAILED]


def _count(counts: Counter[tuple[int, str]]) -> None:
    try:
        _record(counts)
    except Exception:  # what is stored says it too; storing must not fail over a count
        logger.exception("Withheld content could not be counted")
    finally:
        connections.close_all()


def _record(counts: Counter[tuple[int, str]]) -> None:
    day = datetime.now(UTC).date()
    for project in {project for project, _ in counts}:
        reasons = {reason: many for (one, reason), many in counts.items() if one == project}
        add_withheld(project, reasons, day=day)
