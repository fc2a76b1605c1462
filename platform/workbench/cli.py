"""Django's command line, with operators' problems said in one sentence instead of a traceback."""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError, OperationalError

from workbench.core.errors import OperatorProblem
from workbench.shell.processes import stop_with_parent

EXIT_OPERATOR_PROBLEM = 2
OUR_PACKAGES = frozenset({"workbench", "prompts", "requests_log", "evals", "finetunes"})
NO_PRIVILEGE = "42501"


def main(argv: list[str]) -> int:
    """Run a management command; return the exit code (2 when the operator must act)."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")
    stop_with_parent()
    try:
        execute_from_command_line(argv)
    except OperatorProblem as problem:
        return _say(str(problem))
    except ImproperlyConfigured as problem:
        return _say(str(problem))
    except DatabaseError as problem:
        if not _operator_can_mend(problem):
            raise
        return _say(database_sentence(problem))
    except ModuleNotFoundError as problem:
        if problem.name is None or problem.name.partition(".")[0] in OUR_PACKAGES:
            raise
        return _say(f"The package “{problem.name}” is not installed. Run `make setup`.")
    except OSError as problem:
        if problem.errno is None:
            raise
        return _say(system_sentence(problem))
    return 0


def database_sentence(problem: BaseException) -> str:
    """What to do when Postgres cannot be reached or refuses us."""
    reason = str(problem).strip().splitlines()[0] if str(problem).strip() else "no reason given"
    return (
        f"The database cannot be used: {reason}. Check DATABASE_URL "
        "(unset it to use the built-in Postgres) or run `manage.py doctor`."
    )


def _operator_can_mend(problem: DatabaseError) -> bool:
    """The server is away, refuses us, or cannot make sense of DATABASE_URL; not a bug of ours."""
    sqlstate = getattr(problem.__cause__, "sqlstate", None)
    mistyped = "connection option" in str(problem)
    return isinstance(problem, OperationalError) or sqlstate == NO_PRIVILEGE or mistyped


def system_sentence(problem: OSError) -> str:
    """What to do about a full disk, a missing permission or a busy port."""
    where = f" ({problem.filename})" if problem.filename else ""
    return f"{problem.strerror}{where}. Free space or fix permissions, then run `manage.py doctor`."


def _say(sentence: str) -> int:
    sys.stderr.write(f"stillhouse: {sentence}\n")
    return EXIT_OPERATOR_PROBLEM
