"""How far two reviewers agree, beyond what chance alone would do. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """Over `many` requests that two people decided: the share with equal verdicts, and Cohen's κ.

    κ is 1 for full agreement, 0 for what chance would do, below 0 for less than that. It is None
    where it is not defined: nothing was compared, or both always gave the one same verdict.
    """

    many: int
    share: float | None
    kappa: float | None

    @property
    def words(self) -> str:
        """κ in words."""
        return in_bands(self.kappa)


def in_bands(kappa: float | None) -> str:
    """The bands of Landis and Koch (1977), for people who see κ for the first time."""
    if kappa is None:
        return "not defined"
    bands = ((0.8, "almost perfect"), (0.6, "substantial"), (0.4, "moderate"), (0.2, "fair"))
    found = next((name for above, name in bands if kappa > above), None)
    return found or ("slight" if kappa > 0 else "no better than chance")


def agreement(pairs: Sequence[tuple[str, str]]) -> Agreement:
    """The agreement of two reviewers from their verdicts on the same requests.

    κ = (p_o - p_e) / (1 - p_e), where p_o is the share of equal verdicts and p_e the share that
    two people with the same habits would have by chance (Cohen, 1960).
    """
    many = len(pairs)
    if not many:
        return Agreement(0, None, None)
    observed = sum(one == other for one, other in pairs) / many
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    equal_by_chance = sum(first[verdict] * second[verdict] for verdict in first)
    if equal_by_chance == many * many:
        return Agreement(many, observed, None)
    expected = equal_by_chance / many**2
    return Agreement(many, observed, (observed - expected) / (1 - expected))
