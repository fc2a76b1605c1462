"""Everything the SDK can raise or hand to `on_error`.

StillhouseError
├── ConfigurationError      raised by `Client(...)`: a setting cannot be used
├── ModelNotFound           raised by `resolve_model`: the server does not know this name and alias
├── PromptNotFound          raised by `get_prompt`: the server knows no such prompt or version
├── StillhouseUnavailable   raised by both: no answer, nothing cached, no fallback
├── PromptError             raised by `Prompt.compile`: these variables do not fit the prompt
│   └── MissingVariables    some that it needs were not given; all are named
└── DeliveryError           never raised; given to `on_error` when calls were not stored
"""

from __future__ import annotations

from typing import Iterable


class StillhouseError(Exception):
    """Base of every error of this package."""


class ConfigurationError(StillhouseError, ValueError):
    """A setting cannot be used as it is; the message says how to write it."""


class ModelNotFound(StillhouseError):
    """The server knows no registered model with this name and alias."""


class PromptNotFound(StillhouseError):
    """The server knows no prompt of this name, or none with this label or number."""


class PromptError(StillhouseError, ValueError):
    """A prompt cannot be compiled with these variables; the message says why."""


class MissingVariables(PromptError):
    """Variables that the prompt needs were not given; `names` are all of them."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(dict.fromkeys(names))
        super().__init__(f"Give a value for: {', '.join(self.names)}.")

    def __reduce__(self) -> tuple[type[MissingVariables], tuple[list[str]]]:
        return type(self), (self.names,)


class StillhouseUnavailable(StillhouseError):
    """The server gave no usable answer, and there is neither a cached one nor a fallback."""


class DeliveryError(StillhouseError):
    """Logged calls were not stored. Given to `on_error`, never raised into your program.

    `count` calls were lost for `reason`; `status` is the server's HTTP status when it gave one.
    """

    def __init__(self, message: str, *, reason: str, count: int, status: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.count = count
        self.status = status
