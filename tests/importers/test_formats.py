"""Every source's records become what `expected/` says; look at those files when they change."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from requests_log.importers.source import Attached
from tests.importers.golden import SAMPLES, document, read_file

EXPECTED = Path(__file__).parent / "expected"
FORMATS = {
    "calls.csv": "calls", "calls.jsonl": "calls",
    "helicone.json": "helicone",
    "langfuse-blob.jsonl": "langfuse", "langfuse-events.jsonl": "langfuse",
    "langfuse-flat.jsonl": "langfuse", "langfuse-trace.json": "langfuse",
    "langsmith.jsonl": "langsmith",
    "litellm.jsonl": "litellm",
    "openai-pages.json": "openai", "openai-responses.jsonl": "openai",
    "stillhouse.jsonl": "stillhouse",
    "openpipe-export.jsonl": "openpipe", "openpipe-report.jsonl": "openpipe",
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_sample_is_recognised_and_becomes_what_was_written_down(name: str) -> None:
    found, outs, problems = read_file(SAMPLES / name)

    documents = [document(out) for out in outs]
    kept = EXPECTED / f"{name}.expected.json"
    if os.environ.get("WRITE_EXPECTED"):
        kept.write_text(json.dumps(documents, indent=1, ensure_ascii=False) + "\n")
    assert problems == []
    assert found == FORMATS[name]
    assert documents == json.loads(kept.read_text())


def test_every_sample_has_its_expectation() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_ids_follow_from_the_source_and_are_distinct(name: str) -> None:
    _, once, _ = read_file(SAMPLES / name)
    _, again, _ = read_file(SAMPLES / name)

    ids = [(out.score if isinstance(out, Attached) else out).id for out in once]
    assert ids == [(out.score if isinstance(out, Attached) else out).id for out in again]
    assert len(set(ids)) == len(ids)
    assert {identifier.version for identifier in ids} == {7}
