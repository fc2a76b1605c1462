"""The card beside the launch form."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from pytest_django.asserts import assertContains, assertNotContains

from finetunes.bases import find_base
from finetunes.hosts.local import child_environment
from finetunes.previews import make_sample, sample_rows
from tests.conftest import Cast
from tests.finetunes.factories import make_version
from tests.finetunes.test_run_pages import form


def card_of(client: Client, cast: Cast, **fields: Any) -> Any:
    """The card once its sample is rendered."""
    end = time.monotonic() + 120
    while True:
        card = client.post(f"/p/{cast.project.slug}/tunes/new/card/", fields)
        if b"Reading the tokenizer" not in card.content or time.monotonic() > end:
            return card
        time.sleep(0.2)


def test_the_card_counts_and_marks_what_is_trained(cast: Cast, alice: Client) -> None:
    version = make_version(cast.project, rows=60, heldout=0)

    card = card_of(alice, cast, **form(version, epochs="2", batch_size="10"))

    assertContains(card, "60 to train on, 0 held out")
    assertContains(card, "<dd>12</dd>")
    assertContains(card, "&lt;|assistant|&gt;")
    assertContains(card, '<mark class="trained">P&lt;|end|&gt;</mark>')
    assertContains(card, "Nothing is held out")


def test_the_card_warns_of_few_rows_and_of_few_steps(cast: Cast, alice: Client) -> None:
    version = make_version(cast.project, rows=5, heldout=0)

    card = card_of(alice, cast, **form(version))

    assertContains(card, "5 examples to train on")
    assertContains(card, "Only 1 step:")


def test_the_card_says_what_would_stop_the_run(cast: Cast, alice: Client) -> None:
    asked = {"role": "user", "content": "?"}
    ends = {"messages": [asked, {"role": "assistant", "content": "P<|end|>Q"}]}
    long = {"role": "user", "content": "Zürich " * 600}
    too_long = {"messages": [long, {"role": "assistant", "content": "Z"}]}
    version = make_version(cast.project, heldout=0, extra=[ends, too_long])

    refused = card_of(alice, cast, **form(version))
    dropped = card_of(alice, cast, **form(version, over_length="drop"))

    assertContains(refused, "1 of 26 sampled rows would stop the run")
    assertContains(refused, "longer than the 512 tokens nano-base reads, so the run would stop")
    assertContains(dropped, "Such examples will be left out")


def test_the_card_tells_of_a_base_that_is_not_there(cast: Cast, alice: Client) -> None:
    version = make_version(cast.project)

    card = card_of(alice, cast, **form(version, base_model="gpt-42"))

    assertContains(card, "no base model called")
    assertNotContains(card, "Reading the tokenizer")


def test_hostile_rows_are_shown_as_text(cast: Cast, alice: Client) -> None:
    asked = {"role": "user", "content": "<img src=x onerror=alert(1)>"}
    row = {"messages": [asked, {"role": "assistant", "content": "<b>no</b>"}]}
    version = make_version(cast.project, rows=0, heldout=0, extra=[row])

    card = card_of(alice, cast, **form(version))

    assertContains(card, "&lt;img src=x")
    assertNotContains(card, "<img")
    assertNotContains(card, "<b>no")


def test_the_sample_is_what_the_trainer_would_see(cast: Cast) -> None:
    version = make_version(cast.project, rows=12, heldout=0)

    sample = make_sample(sample_rows(version), find_base(cast.project, "nano-base"))

    assert (sample.rows, len(sample.lengths), sample.problems) == (12, 12, ())
    assert sample.trained_tokens == 2 * 12
    assert all(shown.trained.endswith("<|end|>") for shown in sample.shown)


@pytest.mark.slow
def test_reading_a_tokenizer_brings_no_torch_into_the_web_process() -> None:
    program = (
        "import sys; from pathlib import Path; from finetunes.tokenizers import load_tokenizer;"
        f"load_tokenizer(Path({str(settings.ROOT / 'finetunes/nano/base')!r}));"
        "sys.exit('torch' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], env=child_environment(), check=False)

    assert done.returncode == 0
