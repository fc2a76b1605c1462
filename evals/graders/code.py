"""Answers graded by people's own Python, run in a sandbox."""

from __future__ import annotations

from functools import cache

from evals.graders.base import Answered, BadSettings, CannotGrade, Grade, Grader, Settings
from evals.graders.sandbox.filter import why_not
from evals.graders.sandbox.running import Sandbox, Stopped

EXAMPLE = "def grade(answer, expected, question):\n    return answer.strip() == expected.strip()\n"
why_off = cache(why_not)


def _code(settings: Settings) -> Grade:
    if why_off():
        raise BadSettings(f"Code cannot be run safely on this machine. {why_off()}")
    try:
        sandbox = Sandbox(settings["code"])
    except Stopped as problem:
        raise BadSettings(str(problem)) from problem
    except (OSError, ValueError) as problem:
        raise BadSettings(
            "The sandbox did not start. Ask whoever runs the server to look at `manage.py doctor`."
        ) from problem

    def grade(answered: Answered) -> float:
        try:
            return sandbox.grade(
                answer=answered.answer, expected=answered.expected, question=answered.question
            )
        except Stopped as problem:
            raise CannotGrade(str(problem)) from problem

    return grade


CODE = Grader(
    name="code",
    label="Python function",
    help="A function of yours gives the score: a bool, or a number from 0 to 1. It runs without "
    "files, network or other programs, at most 2 seconds for an answer.",
    make=_code,
    fields={
        "code": {
            "type": "string",
            "format": "code",
            "minLength": 1,
            "maxLength": 50_000,
            "title": "Code",
            "description": "Defines grade(answer, expected, question). All three are texts.",
            "examples": [EXAMPLE],
        }
    },
    pass_mark=0.5,
    off=lambda: f"Off on this machine. {why_off()}" if why_off() else "",
    is_slow=True,
)
