"""docs/redaction.md says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from requests_log.redaction.detectors import DETECTORS, Detector
from requests_log.redaction.rules import read_rules
from tests.redaction import corpus

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "redaction.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)
def test_every_detector_is_documented_with_its_examples(detector: Detector) -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith(f"| `{detector.name}` |"))

    assert f"`[{detector.label}]`" in line
    for example in (*detector.examples, *detector.counterexamples):
        assert f"`{example}`".replace("\n", "⏎") in line


def test_the_documented_figures_are_the_measured_ones() -> None:
    assert corpus.report() in TEXT


def test_the_documented_rules_can_be_saved() -> None:
    example = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)[-1]

    assert len(read_rules(json.loads(example)).patterns) == 1
