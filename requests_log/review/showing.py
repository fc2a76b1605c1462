"""What the queue's page shows of an item."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from requests_log.feedback.correcting import plain_answer
from requests_log.inspecting import answer_words
from requests_log.models import Correction, LoggedRequest
from requests_log.review.models import Item
from workbench.core.worddiff import Piece, word_diff


@dataclass(frozen=True)
class Shown:
    """An item with its request, and the answer in force as an editor shows it."""

    item: Item
    logged: LoggedRequest
    answer: dict[str, Any]

    @property
    def original(self) -> str:
        return answer_words(self.logged.output)

    @property
    def content(self) -> str:
        return answer_words({"content": self.answer.get("content")})

    @property
    def tool_calls(self) -> str:
        calls = self.answer.get("tool_calls")
        return json.dumps(calls, indent=2, ensure_ascii=False) if calls else ""

    @property
    def change(self) -> list[Piece]:
        """What a correction that is in force changed; nothing without one."""
        after = answer_words(self.answer)
        return word_diff(self.original, after) if after != self.original else []


def shown(items: list[Item]) -> list[Shown]:
    """The items whose requests are still in the log, in order."""
    if not items:
        return []
    project_id, ids = items[0].project_id, [item.request_id for item in items]
    rows = LoggedRequest.objects.filter(project_id=project_id, id__in=ids).defer("search")
    logged = {row.id: row for row in rows}
    corrected = Correction.objects.in_force(project_id, ids)
    return [
        Shown(item, row, corrected.get(row.id) or plain_answer(row.output) or {})
        for item in items
        if (row := logged.get(item.request_id)) is not None
    ]
