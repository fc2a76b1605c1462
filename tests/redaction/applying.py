"""Applying rules without a database."""

from __future__ import annotations

import json
from typing import Any

from requests_log.redaction.detectors import DETECTORS
from requests_log.redaction.engine import Work, redacted_body, redacted_text
from requests_log.redaction.rules import (
    Pattern,
    Place,
    Replacement,
    Rules,
    Ruleset,
    compiled,
)

EVERY_DETECTOR = dict.fromkeys(DETECTORS, Replacement.LABEL)


def make_ruleset(
    *patterns: Pattern,
    detectors: dict[str, Replacement] | None = None,
    keys: bool = False,
    places: list[Place] | None = None,
    project_id: int = 1,
) -> Ruleset:
    rules = Rules(
        detectors=EVERY_DETECTOR if detectors is None else detectors,
        patterns=list(patterns),
        places=list(Place) if places is None else places,
        keys=keys,
    )
    return compiled(rules, number=1, project_id=project_id)


def body(raw: bytes, ruleset: Ruleset | None = None) -> bytes:
    return redacted_body(raw, Work(ruleset or make_ruleset()))


def text(words: str, ruleset: Ruleset | None = None) -> str:
    return redacted_text(words, Work(ruleset or make_ruleset()))


def document(value: Any, ruleset: Ruleset | None = None) -> Any:
    return json.loads(body(json.dumps(value).encode(), ruleset))
