"""Everything the SDK can raise or hand to `on_error`.

StillhouseError
├── ConfigurationError      raised by `Client(...)`: a setting cannot be used
├── ModelNotFound           raised by `resolve_model`: the server does not know this name and alias
├── StillhouseUnavailable   raised by `resolve_model`: no answer, nothing cached, no fallback
└── DeliveryError           never raised; given to `on_error` when calls were not stored
"""

from __future__ import annotations


class StillhouseError(Exception):
    """Base of every error of this package."""


class ConfigurationError(StillhouseError, ValueError):
    """A setting cannot be used as it is; the message says how to write it."""


class ModelNotFound(StillhouseError):
    """The server knows no registered model with this name and alias."""


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
