"""The render fingerprint changes with each thing that changes the ids, and with nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finetunes.rendering import RenderSettings, render_fingerprint
from tests.rendering.chat_tokenizers import CHATML, make_tokenizer

PLAIN = RenderSettings()


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    make_tokenizer("chatml").save_pretrained(tmp_path)
    return tmp_path


def test_the_same_directory_has_the_same_fingerprint(model_dir: Path) -> None:
    first = render_fingerprint(model_dir, PLAIN)

    assert first == render_fingerprint(model_dir, RenderSettings())
    assert len(first) == 64


def test_a_template_may_stand_in_either_place(model_dir: Path) -> None:
    in_own_file = render_fingerprint(model_dir, PLAIN)
    (model_dir / "chat_template.jinja").unlink()
    config = json.loads((model_dir / "tokenizer_config.json").read_text())
    (model_dir / "tokenizer_config.json").write_text(
        json.dumps({**config, "chat_template": CHATML})
    )

    assert render_fingerprint(model_dir, PLAIN) == in_own_file


def test_a_special_token_may_be_stored_with_its_matching_rules(model_dir: Path) -> None:
    plain = render_fingerprint(model_dir, PLAIN)
    path = model_dir / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config["eos_token"] = {"content": config["eos_token"], "lstrip": False}
    path.write_text(json.dumps(config))

    assert render_fingerprint(model_dir, PLAIN) == plain


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("tokenizer.json", "<pad>", "<pat>"),
        ("chat_template.jinja", "assistant", "model"),
        ("tokenizer_config.json", '"eos_token": "<|im_end|>"', '"eos_token": "</s>"'),
    ],
)
def test_a_changed_file_changes_the_fingerprint(
    model_dir: Path, name: str, old: str, new: str
) -> None:
    before = render_fingerprint(model_dir, PLAIN)
    path = model_dir / name
    assert old in path.read_text()

    path.write_text(path.read_text().replace(old, new))

    assert render_fingerprint(model_dir, PLAIN) != before


@pytest.mark.parametrize(
    "settings",
    [RenderSettings(template_kwargs={"enable_thinking": True}), RenderSettings(thinking="strip")],
)
def test_changed_settings_change_the_fingerprint(model_dir: Path, settings: RenderSettings) -> None:
    assert render_fingerprint(model_dir, settings) != render_fingerprint(model_dir, PLAIN)


def test_a_directory_without_a_tokenizer_has_no_fingerprint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        render_fingerprint(tmp_path, PLAIN)
