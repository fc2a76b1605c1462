"""What was asked, as the text that graders see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.core.templatetags.ui import content_text


def asked_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """A lone message's text; of a conversation, every message after its role."""
    if len(messages) == 1:
        return content_text(messages[0].get("content"))
    said = [f"{one.get('role')}: {content_text(one.get('content'))}" for one in messages]
    return "\n\n".join(said)
