"""One hash over everything that decides which ids a conversation becomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from finetunes.rendering.messages import RenderSettings

_SPECIAL_KEYS = (
    "additional_special_tokens",
    "bos_token",
    "cls_token",
    "eos_token",
    "extra_special_tokens",
    "mask_token",
    "pad_token",
    "sep_token",
    "unk_token",
)


def render_fingerprint(model_dir: Path, settings: RenderSettings) -> str:
    """SHA-256 (hex) of the tokenizer, chat template, special tokens and render settings.

    Two directories with the same fingerprint turn every conversation into the same ids, whether
    their template stands in `chat_template.jinja` or in `tokenizer_config.json`.

    Raises:
        FileNotFoundError: the directory has no `tokenizer.json`.
    """
    digest = hashlib.sha256()
    for part in _parts(model_dir, settings):
        # Lengths keep two parts from being mistaken for one.
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def chat_template_text(model_dir: Path) -> str | None:
    """The model's chat template, from either place a model directory may keep it in."""
    own_file = model_dir / "chat_template.jinja"
    if own_file.is_file():
        return own_file.read_text(encoding="utf-8")
    template = _json(model_dir / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):
        return json.dumps(template, sort_keys=True)
    return template if isinstance(template, str) else None


def _parts(model_dir: Path, settings: RenderSettings) -> Iterator[bytes]:
    yield (model_dir / "tokenizer.json").read_bytes()
    yield (chat_template_text(model_dir) or "").encode()
    yield _canonical(_special_tokens(model_dir))
    yield _canonical(dict(settings.template_kwargs))
    yield str(settings.tools_version).encode()
    yield settings.thinking.encode()


def _special_tokens(model_dir: Path) -> dict[str, object]:
    found = {
        **_json(model_dir / "special_tokens_map.json"),
        **_json(model_dir / "tokenizer_config.json"),
    }
    return {key: _name(found[key]) for key in _SPECIAL_KEYS if found.get(key)}


def _name(token: object) -> object:
    """A special token's text, also where it is stored with its matching rules."""
    return token["content"] if isinstance(token, dict) and "content" in token else token


def _json(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    value = json.loads(path.read_text(encoding="utf-8"))
    return value if isinstance(value, dict) else {}


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
