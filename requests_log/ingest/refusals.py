"""Answers that refuse a whole request."""

from __future__ import annotations

from typing import Self

from requests_log.lanes import SHARES, Lane


class Refusal(Exception):
    """The request as a whole cannot be taken; `sentence` says what to do."""

    def __init__(
        self,
        status: int,
        code: str,
        sentence: str,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence
        self.headers = headers

    @classmethod
    def overloaded(cls, lane: Lane) -> Self:
        seconds = SHARES[lane].retry_seconds
        return cls(
            503,
            "overloaded",
            f"More is waiting in the lane “{lane}” than may. Send this again in {seconds} s.",
            ((b"retry-after", str(seconds).encode()),),
        )

    @classmethod
    def unavailable(cls) -> Self:
        return cls(
            503,
            "database_away",
            "The database cannot be reached. Send this again later; nothing is stored twice.",
            ((b"retry-after", b"5"),),
        )

    @classmethod
    def too_large(cls, limit: int) -> Self:
        return cls(
            413,
            "too_large",
            f"A batch may have {limit >> 20} MiB after decompression. Send smaller batches.",
        )

    @classmethod
    def broken_encoding(cls, name: str) -> Self:
        return cls(400, "broken_encoding", f"The body is not complete, valid {name}.")
