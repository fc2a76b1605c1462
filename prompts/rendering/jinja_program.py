"""Renders Jinja templates within bounds: a program, started with `python -I`; nothing of ours.

A line on stdin tells `{"templates", "seconds"}`; every line behind it holds values, which are
answered by a line on stdout: `{"texts"}` or `{"kind", "message", "template", "line"}`, with
`"last": true` before the program ends by itself. Values for which it takes too long, too much
memory, or makes too much text end it without an answer.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY = 256 << 20
MOST_CHARACTERS = 1 << 20
STOPPED = 3
LIFETIME_SECONDS = 300
"""Of processor time; then another program goes on."""


def main() -> int:
    spec = json.loads(sys.stdin.readline())
    seconds = float(spec["seconds"])
    _bound(seconds)
    templates = _Templates(spec["templates"])
    for line in sys.stdin:
        # The kernel ends us when so much processor time is used, whatever we are in then.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            told = templates.rendered(json.loads(line))
            signal.setitimer(signal.ITIMER_PROF, 0)
            is_last = time.process_time() > LIFETIME_SECONDS
            sys.stdout.write(json.dumps(told | {"last": is_last}) + "\n")
        except MemoryError:
            return STOPPED
        sys.stdout.flush()
        if is_last:
            return 0
    return 0


def _bound(seconds: float) -> None:
    lifetime = LIFETIME_SECONDS + 2 * int(seconds + 1)
    for kind, most in (
        (resource.RLIMIT_CPU, lifetime),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


class _Templates:
    """Compiled when they are first needed, so that this is within the bounds too."""

    def __init__(self, texts: list[str]) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True
        )
        self._texts = texts
        self._compiled: dict[int, Any] = {}

    def rendered(self, values: dict[str, Any]) -> dict[str, Any]:
        texts: list[str] = []
        for at in range(len(self._texts)):
            try:
                texts.append(self._text(at, values))
            except UndefinedError as problem:
                return _problem("undefined", problem, at)
            except MemoryError:
                raise
            # Whatever a template does wrong with values it was not made for is its writer's to see.
            except Exception as problem:
                return _problem("failed", problem, at)
        return {"texts": texts}

    def _text(self, at: int, values: dict[str, Any]) -> str:
        if at not in self._compiled:
            self._compiled[at] = self._environment.from_string(self._texts[at])
        pieces: list[str] = []
        left = MOST_CHARACTERS
        for piece in self._compiled[at].generate(values):
            left -= len(piece)
            if left < 0:
                raise MemoryError
            pieces.append(piece)
        return "".join(pieces)


def _problem(kind: str, problem: Exception, at: int) -> dict[str, Any]:
    known = isinstance(problem, TemplateError)
    message = str(problem) if known else f"{type(problem).__name__}: {problem}"
    return {"kind": kind, "message": message[:500], "template": at, "line": _line(problem)}


def _line(problem: Exception) -> int:
    """Jinja writes its own lines into the traceback."""
    if isinstance(problem, TemplateSyntaxError):
        return int(problem.lineno)
    trace, line = problem.__traceback__, 1
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


if __name__ == "__main__":
    sys.exit(main())
