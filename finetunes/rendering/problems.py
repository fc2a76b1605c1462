"""What can be wrong with a conversation, as sentences fit to show people."""

from __future__ import annotations


class RowProblem(Exception):
    """A conversation cannot be rendered.

    `code` is a stable snake_case word for programs; `sentence` says what to do next.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class ParityMismatch(Exception):
    """What would be trained differs from what would be served (rule P1).

    `what` is a stable snake_case word for the broken part of the rule.
    """

    def __init__(self, what: str, sentence: str) -> None:
        super().__init__(sentence)
        self.what = what
        self.sentence = sentence
