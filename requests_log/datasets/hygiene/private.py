"""Personal data in examples: found with the detectors of redaction, and cut out with them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from requests_log.datasets.canonical import ReadyExample, read_row
from requests_log.redaction.actions import current_version
from requests_log.redaction.detectors import DETECTORS
from requests_log.redaction.engine import Budget, Withheld, Work, redacted_body
from requests_log.redaction.rules import Replacement, Rules, Ruleset, compiled, read_rules
from workbench.core.models import Project

SECONDS = 20.0
"""Processor time for one example; four mebibytes take about a quarter of one."""


@dataclass(frozen=True)
class Private:
    """An example with personal data: what was found, by the name of its rule, and what is left
    when it is cut out (None when cutting did not come to an end)."""

    counts: dict[str, int]
    payload: bytes | None

    @property
    def note(self) -> str:
        """What was found, for people."""
        if self.payload is None:
            return "could not be searched to the end"
        return ", ".join(f"{_title(name)} ({many})" for name, many in self.counts.items())


def ruleset_of(project: Project) -> Ruleset:
    """Every detector, and the project's own patterns if its policy has any."""
    policy = current_version(project)
    own = read_rules(policy.document).patterns if policy is not None else []
    detectors = dict.fromkeys(DETECTORS, Replacement.LABEL)
    return compiled(Rules(detectors=detectors, patterns=own), number=0, project_id=project.pk)


def private_in(payload: bytes, ruleset: Ruleset) -> Private | None:
    """What a payload holds of personal data; None when it holds none."""
    work = Work(ruleset, Budget(SECONDS))
    try:
        cut = redacted_body(payload, work)
    except Withheld:
        return Private({}, None)
    return Private(dict(work.counts), cut) if work.counts else None


def redacted(payload: bytes, fingerprint: bytes, ruleset: Ruleset) -> ReadyExample | None:
    """The example with its personal data replaced by labels; None if nothing can be done.

    It stays in its group, unless the group was its prompt: that has changed.
    """
    found = private_in(payload, ruleset)
    if found is None or found.payload is None:
        return None
    made = read_row(msgspec.json.decode(found.payload))
    if fingerprint == read_row(msgspec.json.decode(payload)).fingerprint:
        return made
    return ReadyExample(
        **{name: getattr(made, name) for name in made.__slots__} | {"fingerprint": fingerprint}
    )


def _title(name: str) -> str:
    detector = DETECTORS.get(name)
    return detector.title.lower() if detector else name.removeprefix("pattern:")
