"""What asking a judge will likely cost, told before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from evals.judges.models import JudgeVersion
from evals.judges.rubric import messages_for, new_code
from evals.pipelines.budget import likely_tokens, price_of
from requests_log.digest import prices
from workbench.core.errors import DomainError
from workbench.core.models import Project
from workbench.providers.refs import resolve

USUAL_REPLY = 120
"""Tokens of a reason in a few sentences and a verdict."""
ORDERS = 2


@dataclass(frozen=True)
class LikelyCost:
    """Calls, tokens and dollars; `dollars` are None where `problem` says why nobody knows."""

    calls: int
    input_tokens: int
    output_tokens: int
    dollars: Decimal | None
    problem: str = ""

    @property
    def sentence(self) -> str:
        """For people, before they agree to it."""
        calls = f"{self.calls:,} call{'' if self.calls == 1 else 's'}"
        if self.dollars is None:
            tokens = f"{self.input_tokens:,} tokens in and {self.output_tokens:,} out"
            return f"{calls} with about {tokens}. {self.problem}"
        return f"{calls}, about ${self.dollars:,.4f}."


def likely_cost(
    project: Project, version: JudgeVersion, sample: Sequence[Mapping[str, str]], *, many: int
) -> LikelyCost:
    """What `many` judgements take, reckoned from a sample of graded material by variable."""
    settings = version.settings
    each = settings.samples * (ORDERS if version.judge.is_pairwise else 1)
    sizes = [
        len(msgspec.json.encode(messages_for(settings, texts, code=new_code()))) for texts in sample
    ]
    body = b" " * (sum(sizes) // max(1, len(sizes)))
    bound = float(min(USUAL_REPLY, settings.parameters.get("max_tokens", USUAL_REPLY)))
    tokens_in, tokens_out = likely_tokens(body, settings.parameters, usual_output=bound)
    calls = many * each
    total = tokens_in * calls, tokens_out * calls
    dollars, problem = _dollars(project, version.model_ref, *total)
    return LikelyCost(calls, *total, dollars, problem)


def _dollars(
    project: Project, ref: str, tokens_in: int, tokens_out: int
) -> tuple[Decimal | None, str]:
    prices.load(fresh_seconds=prices.FRESH_SECONDS)
    try:
        endpoint = resolve(project, ref)
    except DomainError as problem:
        return None, problem.sentence
    dollars = price_of(project.pk, endpoint, tokens_in, tokens_out)
    return dollars, "" if dollars is not None else f"Nobody knows what {ref} costs: set its price."
