"""Several judgements of one answer made one (self-consistency, Wang et al. 2022)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evals.judges.parsing import Reply
from evals.judges.scales import Scale
from evals.judges.settings import Combine


@dataclass(frozen=True)
class Combined:
    """What the samples say together.

    `spread` is how far the highest score lies above the lowest, `agreed` the share of samples with
    the label that came out.
    """

    label: str
    score: float
    reason: str
    spread: float
    agreed: float


def combined(samples: Sequence[Reply], scale: Scale, how: Combine) -> Combined:
    """The most frequent label (of equals the one with the lower score), or the mean score with the
    label nearest to it. The reason is of the first sample with that label.

    Raises:
        ValueError: there is no sample.
    """
    if not samples:
        raise ValueError("There is no judgement to combine.")
    scores = [one.level.score for one in samples]
    counts = Counter(one.level for one in samples)
    if how == "mean":
        score = sum(scores) / len(scores)
        level = scale.nearest(score)
    else:
        level = max(counts, key=lambda one: (counts[one], -one.score))
        score = level.score
    first = next((one for one in samples if one.level == level), samples[0])
    return Combined(
        level.label,
        score,
        first.reason,
        max(scores) - min(scores),
        counts[level] / len(samples),
    )
