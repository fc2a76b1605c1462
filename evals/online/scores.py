"""What one run of a monitor found, and the scores it leaves in the log."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from evals.online.models import Monitor
from requests_log.feedback.scoring import Opinion, ScoreExists, Source, record_score
from requests_log.models import ScoreOrigin, ScoreType


@dataclass
class Graded:
    """Scores by value, and how many answers could not be graded; of a judge what it took
    (`dollars` are None where nobody knows its price), and answers it was not asked about."""

    counts: Counter[float] = field(default_factory=Counter)
    ungraded: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    dollars: Decimal | None = None
    unasked: int = 0


def score_id(monitor: Monitor, request_id: UUID) -> UUID:
    """Follows from monitor and call, so that what is done twice is stored once."""
    return uuid.uuid5(monitor.pk, str(request_id))


def record(
    monitor: Monitor, request_id: UUID, score: float, *, at: datetime, reason: str = ""
) -> None:
    """Leave a score in the log, a judge's with its reason; one that is there stays."""
    version = monitor.judge_version
    source = Source(ScoreOrigin.CODE, monitor.name)
    if version is not None:
        source = Source(ScoreOrigin.JUDGE, str(version))
    try:
        record_score(
            monitor.project,
            subject=request_id,
            opinion=Opinion(monitor.score_name, score, ScoreType.NUMBER, reason),
            source=source,
            at=at,
            id_=score_id(monitor, request_id),
        )
    except ScoreExists:
        return
