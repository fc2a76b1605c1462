"""What is kept of an answer while it passes."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_CAPTURED = 8 << 20
EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")


@dataclass(slots=True)
class Capture:
    """A copy of the answer's bytes, bounded: what comes after MOST_CAPTURED is not kept."""

    is_stream: bool = False
    is_truncated: bool = False
    content_type: str = ""
    _parts: list[bytes] = field(default_factory=list)
    _size: int = 0
    _tail: bytes = b""

    def add(self, chunk: bytes) -> None:
        self._tail = (self._tail + chunk)[-4:] if len(chunk) < 4 else chunk[-4:]
        if self._size + len(chunk) > MOST_CAPTURED:
            self.is_truncated = True
            chunk = chunk[: MOST_CAPTURED - self._size]
        if chunk:
            self._parts.append(chunk)
            self._size += len(chunk)

    @property
    def is_between_events(self) -> bool:
        """Whether another event may be put after what was sent."""
        return not self._tail or self._tail.endswith(EVENT_ENDS)

    @property
    def size(self) -> int:
        return self._size

    def whole(self) -> bytes:
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""
