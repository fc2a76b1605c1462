"""Text as it is searched: without case, accents, and differences in width and blanks."""

from __future__ import annotations

import re
import unicodedata

SEARCH_BYTES = 200_000
"""Folded bytes of a request that can be found; what stands behind them is not searched."""

# Marks that Latin, Greek and Cyrillic letters carry. Those of other scripts tell words apart.
_ACCENTS = re.compile("[\u0300-\u036f]+")


def fold(text: str) -> str:
    """The text as it is compared; a part of a text folds to a part of the folded text."""
    if text.isascii():
        lowered = text.lower()
    else:
        plain = unicodedata.normalize("NFKC", text).casefold()
        bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", plain))
        lowered = unicodedata.normalize("NFC", bare)
    return " ".join(lowered.split())


def bounded(text: str) -> tuple[str, bool]:
    """What of a text can be searched, folded, and whether something was left out."""
    folded = fold(text[:SEARCH_BYTES])
    cut = len(text) > SEARCH_BYTES
    if len(folded) * 4 <= SEARCH_BYTES:
        return folded, cut
    raw = folded.encode(errors="replace")
    if len(raw) <= SEARCH_BYTES:
        return folded, cut
    return raw[:SEARCH_BYTES].decode(errors="ignore"), True
