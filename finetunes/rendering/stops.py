"""At which ids a model stops, by its own files; training and serving must agree on them."""

from __future__ import annotations

import json
from pathlib import Path

from finetunes.rendering.tokenizer import ChatTokenizer


def stop_token_ids(model_dir: Path, tokenizer: ChatTokenizer) -> frozenset[int]:
    """Every end id that generation_config.json, config.json or the tokenizer names."""
    found: set[int] = set()
    for name in ("generation_config.json", "config.json"):
        found.update(_ids(model_dir / name))
    if isinstance(tokenizer.eos_token_id, int):
        found.add(tokenizer.eos_token_id)
    return frozenset(found)


def _ids(path: Path) -> list[int]:
    if not path.is_file():
        return []
    value = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id")
    ids = value if isinstance(value, list) else [value]
    return [token_id for token_id in ids if isinstance(token_id, int)]
