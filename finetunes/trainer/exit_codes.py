"""Exit codes of the training program; what a supervisor may do about each."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a training run ended.

    Only `PREEMPTED` and `OUT_OF_MEMORY` (with a smaller batch) are worth starting again
    unchanged; every other failure needs a person.
    """

    OK = 0
    UNEXPECTED = 1
    BAD_DATA = 10
    PARITY_FAILURE = 11
    OUT_OF_MEMORY = 12
    NOT_A_NUMBER = 13
    CANCELLED = 14
    PREEMPTED = 15
    DISK_FULL = 16
    BAD_BASE_MODEL = 17


class TrainingStopped(Exception):
    """A run ends for a reason that can be told in a sentence.

    `code` is a stable snake_case word; `row` names the row at fault, if there is one.
    """

    def __init__(
        self, exit_code: ExitCode, code: str, sentence: str, *, row: str | None = None
    ) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code
        self.code = code
        self.sentence = sentence
        self.row = row
