"""The conversation of a logged request, read from the exact bytes when somebody looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.utils.functional import cached_property
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from requests_log.digest.loose import Message
    from requests_log.digest.shapes import Reading

# By name: it reads the models, which are made of the class below.
READER = "requests_log.digest.conversations.reading_of"


class ReadFromBody:
    """What was asked and answered; empty when the body is gone or damaged.

    NULs and lone surrogates are replaced in it: build training data from the raw body.
    """

    id: UUID
    project_id: int
    operation: str

    @cached_property
    def reading(self) -> Reading:
        """The whole of it, which costs a query."""
        found: Reading = import_string(READER)(self.project_id, self.id, self.operation)
        return found

    @property
    def messages(self) -> list[Message]:
        return self.reading.messages

    @property
    def output(self) -> Message | None:
        return self.reading.output
