"""What the named detectors find, and what they leave alone."""

from __future__ import annotations

import pytest

from requests_log.redaction.detectors import DETECTORS, Detector
from tests.redaction import corpus
from tests.redaction.applying import text

FOUND = [(one, example) for one in DETECTORS.values() for example in one.examples]
LEFT = [(one, example) for one in DETECTORS.values() for example in one.counterexamples]
AROUND = ["{}", "it is {} now", "({})", "“{}”", "Grüße {},", "电话{}。", '"{}"', "{}\n{}"]


def finds(detector: Detector, words: str) -> list[str]:
    raw = words.encode()
    return [raw[start:end].decode() for start, end in detector.find(raw)]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(("detector", "example"), FOUND, ids=[e for _, e in FOUND])
def test_an_example_is_found_wherever_it_stands(
    detector: Detector, example: str, around: str
) -> None:
    words = around.replace("{}", example)
    if detector.name == "email" and "电话" in around:
        words = f"电话 {example}。"  # a Chinese sign may be part of an address

    found = finds(detector, words)

    if detector.name == "private_key" and not example.endswith("-----"):
        assert len(found) >= 1  # the one that is cut off reaches to where it ends
    else:
        assert len(found) == around.count("{}")


@pytest.mark.parametrize(("detector", "example"), LEFT, ids=[e for _, e in LEFT])
def test_a_counterexample_is_left_alone(detector: Detector, example: str) -> None:
    assert finds(detector, f"see {example} there") == []
    assert finds(detector, example) == []


def test_every_detector_has_both() -> None:
    assert all(len(one.examples) >= 2 for one in DETECTORS.values())
    assert all(len(one.counterexamples) >= 2 for one in DETECTORS.values())


def test_what_surrounds_a_find_stays() -> None:
    words = "Pay 4111 1111 1111 1111 12/27 to DE89 3704 0044 0532 0130 00 EUR 50 (ann@x.example)."

    assert text(words) == "Pay [CARD] 12/27 to [IBAN] EUR 50 ([EMAIL])."


def test_a_url_keeps_its_host() -> None:
    assert text("postgres://app:s3cret@10.1.2.3:5432/db") == (
        "postgres://[URL_CREDENTIALS]@[IP]:5432/db"
    )


def test_a_bearer_token_keeps_its_word() -> None:
    assert text("Authorization: Bearer 9f86d081884c7d659a2feaa0c55ad015") == (
        "Authorization: Bearer [SECRET]"
    )


def test_a_whole_key_block_goes_also_with_written_out_line_ends() -> None:
    key = "-----BEGIN PRIVATE KEY-----\\nMIIE\\nvQIB\\n-----END PRIVATE KEY-----"

    assert text(f"KEY={key}; next") == "KEY=[PRIVATE_KEY]; next"


def test_the_figures_of_the_seeded_corpus() -> None:
    figures = {figure.detector: figure for figure in corpus.measured()}

    assert set(figures) == set(DETECTORS)
    for figure in figures.values():
        assert figure.recall >= 0.99, figure
        assert figure.precision >= 0.96, figure
