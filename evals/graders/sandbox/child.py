"""The sandboxed process: takes one function's code, then grades one answer after the other.

Started by path with `python -I -S` and an empty environment; standard library only. It imports
what the code may use, limits itself, seals itself (`filter`), and only then reads the code. Lines
of JSON go in and out: first the code, then rows; each is answered with {"score"} or {"error"}.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

MEMORY_BYTES = 512 << 20
CPU_SECONDS = 3600
MODULES = (
    "ast", "base64", "bisect", "collections", "copy", "csv", "dataclasses", "datetime", "decimal",
    "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "html", "itertools", "json",
    "math", "operator", "random", "re", "statistics", "string", "textwrap", "typing",
    "unicodedata", "xml.etree.ElementTree", "zlib", "_strptime", "encodings.idna",
)  # fmt: skip
NOT_ALLOWED = (
    "The function tried to open a file, start a program, use the network or import a module that "
    "is not at hand. It may only compute: see the docs for the modules it can import."
)
NO_MEMORY = f"The function wanted more than {MEMORY_BYTES >> 20} MiB of memory."


def limit() -> None:
    """Bounds of the kernel that hold beside the filter."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        resource.setrlimit(what, (most, most))


def graded(grade: Callable[..., Any], row: dict[str, str]) -> dict[str, Any]:
    """One row's score, or a sentence that says why there is none."""
    try:
        return _score(grade(row["answer"], row["expected"], row["question"]))
    except MemoryError:
        return {"error": NO_MEMORY}
    except BaseException as problem:
        return {"error": told(problem)}


def _score(found: object) -> dict[str, Any]:
    if not isinstance(found, bool | int | float):
        return {"error": f"The function gave back {type(found).__name__}, neither a number nor a "
                         "bool."}  # fmt: skip
    score = float(found)
    if not 0 <= score <= 1:
        return {"error": f"The function gave back {score}, which is not from 0 to 1."}
    return {"score": score}


def told(problem: BaseException) -> str:
    """What went wrong, in a sentence; also why, where a sandboxed call was refused."""
    if isinstance(problem, PermissionError | BlockingIOError | ImportError):
        return f"{NOT_ALLOWED} ({_words(problem)})"
    if isinstance(problem, RuntimeError) and "start new thread" in str(problem):
        return f"{NOT_ALLOWED} ({_words(problem)})"
    return f"The function failed{_line(problem)}: {_words(problem)}"


def _words(problem: BaseException) -> str:
    try:
        said = str(problem)
    except BaseException:
        said = ""
    return f"{type(problem).__name__}: {said}"[:300].rstrip(": ")


def _line(problem: BaseException) -> str:
    trace, line = problem.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "grade":
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" in line {line}" if line else ""


def loaded(code: str) -> tuple[Callable[..., Any] | None, str]:
    """The function `grade` of the code, or a sentence."""
    names: dict[str, Any] = {"__name__": "grade"}
    try:
        exec(compile(code, "grade", "exec"), names)  # noqa: S102 - what this process is for
    except SyntaxError as problem:
        return None, f"The code cannot be read: {problem.msg}, line {problem.lineno}."
    except MemoryError:
        return None, NO_MEMORY
    except BaseException as problem:
        return None, told(problem)
    found = names.get("grade")
    if not callable(found):
        return None, "The code has no function grade(answer, expected, question)."
    return found, ""


def main() -> None:
    for name in MODULES:
        importlib.import_module(name)
    sys.path.insert(0, str(Path(__file__).parent))
    from filter import seal  # type: ignore[import-not-found]  # beside this file, by path

    asked, said = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.close(0)
    os.close(1)
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(), Nowhere(), Nowhere()
    limit()
    seal()
    answer = _teller(said)
    grade, problem = loaded(json.loads(asked.readline())["code"])
    answer({"error": problem} if grade is None else {"ready": True})
    for line in asked:
        answer(graded(grade, json.loads(line)) if grade else {"error": problem})


def _teller(said: io.BufferedWriter) -> Callable[[dict[str, Any]], None]:
    encode = json.JSONEncoder().encode  # taken before the code can change the module

    def tell(what: dict[str, Any]) -> None:
        said.write(encode(what).encode() + b"\n")
        said.flush()

    return tell


class Nowhere(io.TextIOBase):
    """Takes what is printed and keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


if __name__ == "__main__":
    main()
