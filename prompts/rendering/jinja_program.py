"""Renders Jinja templates within bounds: a program, started with `python -I`; nothing of ours.

On stdin `{"templates", "values", "seconds"}`; on stdout `{"texts"}` or `{"kind", "message",
"template", "line"}`. Exit status 3: it used more memory or made more text than it may.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY = 256 << 20
MOST_CHARACTERS = 1 << 20
STOPPED = 3


def main() -> int:
    spec = json.load(sys.stdin)
    _bound(int(spec["seconds"]))
    try:
        sys.stdout.write(json.dumps(_rendered(spec["templates"], spec["values"])))
    except MemoryError:
        return STOPPED
    return 0


def _bound(seconds: int) -> None:
    for kind, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def _rendered(templates: list[str], values: dict[str, Any]) -> dict[str, Any]:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True
    )
    texts: list[str] = []
    for at, template in enumerate(templates):
        try:
            texts.append(_text(environment, template, values))
        except UndefinedError as problem:
            return _problem("undefined", problem, at)
        except MemoryError:
            raise
        # Whatever a template does wrong with values it was not made for is its writer's to see.
        except Exception as problem:
            return _problem("failed", problem, at)
    return {"texts": texts}


def _text(environment: Any, template: str, values: dict[str, Any]) -> str:
    pieces: list[str] = []
    left = MOST_CHARACTERS
    for piece in environment.from_string(template).generate(values):
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
