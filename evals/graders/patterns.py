"""Answers that must match a pattern. RE2 takes time in proportion to the text, whatever the
pattern, so nobody's pattern holds up a comparison."""

from __future__ import annotations

import re2  # type: ignore[import-untyped]

from evals.graders.base import Answered, BadSettings, Grade, Grader, Settings, share

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def _regex(settings: Settings) -> Grade:
    try:
        pattern = re2.compile(settings["pattern"], _OPTIONS)
    except (re2.error, UnicodeEncodeError) as problem:
        raise BadSettings(
            f"The pattern cannot be read: {problem}. It is written in RE2's syntax, "
            "https://github.com/google/re2/wiki/Syntax."
        ) from problem
    finds = pattern.fullmatch if settings["whole"] else pattern.search

    def grade(answered: Answered) -> float:
        text = answered.answer.strip().encode("utf-8", "replace").decode()
        return share(finds(text) is not None)

    return grade


REGEX = Grader(
    name="regex",
    label="Regular expression",
    help="Right when the answer matches a pattern; the expected answer is not looked at.",
    make=_regex,
    fields={
        "pattern": {
            "type": "string",
            "minLength": 1,
            "maxLength": 2000,
            "title": "Pattern",
            "description": "In RE2's syntax, such as (?i)^(yes|no)$.",
        },
        "whole": {
            "type": "boolean",
            "title": "The whole answer",
            "description": "Otherwise a match anywhere in it is enough.",
            "default": False,
        },
    },
)
