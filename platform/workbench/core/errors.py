"""The two kinds of anticipated failure: one for people using the product, one for its operator."""

from __future__ import annotations


class DomainError(Exception):
    """Something a person asked for cannot be done; the message is a sentence fit to show them.

    One middleware turns it into a toast (pages) or an error document (APIs).
    `code` is the machine-readable name of the failure, `status` the HTTP status it answers with.
    """

    code = "refused"
    status = 409

    def __init__(self, sentence: str, *, code: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        if code is not None:
            self.code = code


class InvalidInput(DomainError):
    """What was sent does not make sense; the sentence names the field and what it may be."""

    code = "invalid"
    status = 400


class NotAllowed(DomainError):
    """The person or key may not do this."""

    code = "not_allowed"
    status = 403


class NotFound(DomainError):
    """There is no such thing in this project."""

    code = "not_found"
    status = 404


class OperatorProblem(Exception):
    """The installation cannot go on; the message tells its operator what to do."""
