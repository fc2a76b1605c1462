"""How the background work of reviewing is done: the log's bulk jobs do it by these kinds."""

from __future__ import annotations

from requests_log.review.filling import SEND_TO_REVIEW

__all__ = ["SEND_TO_REVIEW"]
