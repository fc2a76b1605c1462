"""A document made into text, whole or in pieces: `python -m` this, told by stdin. No Django."""

from __future__ import annotations

import json
import socket
import zipfile
from pathlib import Path
from typing import Any, NoReturn

from requests_log.datasets.imports.chunking import PAGE_BREAK, pieces, sizes
from requests_log.datasets.imports.programs.bounds import Refused, Spec, run, say

MOST_TEXT = 64 << 20
MOST_UNPACKED = 512 << 20
MOST_PIECES = 200_000
OLD_OFFICE = bytes.fromhex("d0cf11e0a1b11ae1")
"""How old Office files begin, and new ones that a password protects."""
ANEW = "Save it as .docx without a password and send it again."
PROTECTED = "The document is protected by a password. Take it off, save it anew and send it again."
PLAIN = frozenset({".md", ".markdown", ".txt"})
KINDS = PLAIN | {".pdf", ".docx"}


def main(spec: Spec) -> dict[str, Any]:
    """Cut the document at `path` into pieces of `tokens`, one JSON object a line of `out`; without
    `tokens` the whole text goes there, with a form feed between pages where they are known."""
    source = Path(spec["path"])
    text = _plain(source) if spec["extension"] in PLAIN else _converted(source, spec["extension"])
    if not text.strip():
        raise Refused(
            "The document holds no text. If it is scanned, run it through text recognition first."
        )
    if len(text) > MOST_TEXT:
        raise Refused(f"The document's text is longer than {MOST_TEXT >> 20} MiB. Split it.")
    if "tokens" not in spec:
        return _kept_whole(Path(spec["out"]), text, is_paged=spec["extension"] == ".pdf")
    say(progress="Cutting it into pieces")
    return _written(Path(spec["out"]), text, spec["tokens"])


def _kept_whole(out: Path, text: str, *, is_paged: bool) -> dict[str, Any]:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    text = text.rstrip() if is_paged else text.replace(PAGE_BREAK, "\n\n")
    out.write_text(text, encoding="utf-8", errors="replace", newline="")
    return {"characters": len(text), "pages": 1 + text.count(PAGE_BREAK) if is_paged else None}


def _written(out: Path, text: str, tokens: int) -> dict[str, Any]:
    found: list[int] = []
    with out.open("w", encoding="utf-8") as file:
        for piece in pieces(text, tokens=tokens):
            found.append(piece.tokens)
            if len(found) > MOST_PIECES:
                raise Refused(f"These are more than {MOST_PIECES:,} pieces. Make them larger.")
            file.write(json.dumps({"title": piece.title, "text": piece.text}) + "\n")
    return sizes(found)


def _plain(source: Path) -> str:
    try:
        return source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        raise Refused("The document is not UTF-8. Save it as UTF-8 and send it again.") from problem


def _converted(source: Path, extension: str) -> str:
    """The document as Markdown, by markitdown, which must not go to the network."""
    _look_at(source, extension)
    say(progress="Reading the document")
    socket.socket.connect = _no_network  # type: ignore[method-assign, assignment]
    from markitdown import StreamInfo
    from markitdown.converters import DocxConverter, PdfConverter

    # Its own choice of a converter takes what is damaged for plain text.
    converter = PdfConverter() if extension == ".pdf" else DocxConverter()
    try:
        with source.open("rb") as file:
            made = converter.convert(file, StreamInfo(extension=extension))
    except MemoryError:
        raise
    except Exception as problem:  # the parsers' own errors are of every kind
        if _asks_for_password(problem):
            raise Refused(PROTECTED) from problem
        raise Refused(
            "The document is damaged, or protected by a password. Save it anew."
        ) from problem
    return str(made.markdown)


def _asks_for_password(problem: BaseException | None) -> bool:
    """Whether it, or what it came from, is a parser's own error for a missing password."""
    while problem is not None:
        if "Password" in type(problem).__name__:
            return True
        problem = problem.__cause__ or problem.__context__
    return False


def _look_at(source: Path, extension: str) -> None:
    """A name may lie, and a small zip may hold a mountain."""
    if extension == ".pdf":
        with source.open("rb") as file:
            if b"%PDF" not in file.read(1024):
                raise Refused("This is no PDF, whatever it is called.")
        return
    with source.open("rb") as file:
        if file.read(len(OLD_OFFICE)) == OLD_OFFICE:
            raise Refused(f"This is an old Word document (.doc), or one with a password. {ANEW}")
    try:
        with zipfile.ZipFile(source) as archive:
            unpacked = sum(one.file_size for one in archive.infolist())
            names = set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as problem:
        raise Refused("This is no Word document (.docx), or a damaged one.") from problem
    if "word/document.xml" not in names:
        raise Refused("This is no Word document (.docx), whatever it is called.")
    if unpacked > MOST_UNPACKED:
        raise Refused(f"Unpacked, the document has more than {MOST_UNPACKED >> 20} MiB. Split it.")


def _no_network(self: socket.socket, address: Any) -> NoReturn:
    raise OSError("Documents are read without the network.")


if __name__ == "__main__":
    run(main)
