"""People's Python as a grader: it computes, and can do nothing else."""

from __future__ import annotations

from functools import cache

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.actions import Grading
from evals.graders.base import Answered, BadSettings, CannotGrade, Grade
from evals.graders.code import why_off
from evals.graders.registry import GRADERS, complete
from evals.graders.sandbox.running import Sandbox, Stopped
from evals.results import summaries
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.factories import make_comparison, make_connection
from tests.evals.test_running import run
from workbench.core.errors import InvalidInput

pytestmark = pytest.mark.skipif(bool(why_off()), reason=f"no sandbox here: {why_off()}")

SYSCALL = """
import ctypes
def grade(answer, expected, question):
    libc = ctypes.CDLL(None, use_errno=True)
    opened = libc.syscall(2, b"/etc/passwd", 0)
    socket = libc.socket(2, 1, 0)
    forked = libc.fork()
    return opened == socket == forked == -1 and ctypes.get_errno() == 1
"""


def graded(body: str, *, imports: str = "", answer: str = "yes", expected: str = "yes") -> float:
    code = f"{imports}\ndef grade(answer, expected, question):\n    {body}\n"
    sandbox = Sandbox(code)
    try:
        return sandbox.grade(answer=answer, expected=expected, question="Is it?")
    finally:
        sandbox.close()


@pytest.mark.parametrize(
    ("body", "score"),
    [
        ("return answer == expected", 1),
        ("return 0.25", 0.25),
        ("return question == 'Is it?'", 1),
        ("print('seen by nobody'); return len(answer) / 6", 0.5),
        ("return re.search('^y', answer) is not None and math.sqrt(1)", 1),
    ],
)
def test_a_function_gives_the_score(body: str, score: float) -> None:
    assert graded(body, imports="import math, re") == score


@pytest.mark.parametrize(
    ("imports", "body", "sentence"),
    [
        ("", "return open('/etc/passwd').read()", "tried to open a file"),
        ("", "return open('/proc/self/environ').read()", "tried to open a file"),
        ("", "return open('/tmp/left-behind', 'w')", "tried to open a file"),
        ("import os", "return os.listdir('/')", "tried to open a file"),
        ("import os", "return os.fork()", "start a program"),
        ("import os", "return os.kill(os.getppid(), 9)", "tried to open a file"),
        ("import os", "return os.execv('/bin/sh', ['sh'])", "start a program"),
        ("import os", "return os.posix_spawn('/bin/sh', ['sh'], {})", "start a program"),
        ("", "import socket; return 1", "use the network"),
        ("", "import urllib.request; return 1", "use the network"),
        ("", "import subprocess; return 1", "start a program"),
        ("", "return bytearray(10**10)", "memory"),
        ("import os", "os._exit(0)", "ended its process"),
        ("", "return 7", "not from 0 to 1"),
        ("", "return float('nan')", "not from 0 to 1"),
        ("", "return 'good'", "neither a number nor a bool"),
        ("", "return 1 / 0", "ZeroDivisionError"),
        ("import sys", "sys.exit()", "SystemExit"),
    ],
)
def test_what_a_function_may_not_do_is_told_in_a_sentence(
    imports: str, body: str, sentence: str
) -> None:
    with pytest.raises(Stopped, match=sentence):
        graded(body, imports=imports)


def test_a_fork_bomb_starts_no_process() -> None:
    body = "\n    while True: os.fork()"

    with pytest.raises(Stopped, match="start a program"):
        graded(body, imports="import os")


def test_a_memory_bomb_is_stopped() -> None:
    body = "\n    held = []\n    while True: held.append(bytearray(10**8))"

    with pytest.raises(Stopped, match=r"memory|longer than 2 seconds"):
        graded(body)


def test_the_environment_holds_nothing_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "not for graders")

    assert graded("return not any(n for n in os.environ if n != 'LC_CTYPE')", imports="import os")


def test_the_kernel_refuses_whatever_python_is_talked_into() -> None:
    sandbox = Sandbox(SYSCALL)

    assert sandbox.grade(answer="", expected="", question="") == 1


def test_an_endless_loop_is_stopped_and_the_next_row_is_graded() -> None:
    sandbox = Sandbox(
        "def grade(answer, expected, question):\n    while answer == 'loop': pass\n    return True"
    )

    with pytest.raises(Stopped, match="longer than 2 seconds"):
        sandbox.grade(answer="loop", expected="", question="")

    assert sandbox.grade(answer="other", expected="", question="") == 1


def test_one_process_grades_many_rows() -> None:
    sandbox = Sandbox(
        "import os\nfirst = os.getpid()\ndef grade(a, e, q):\n    return os.getpid() == first"
    )

    assert [sandbox.grade(answer=str(n), expected="", question="") for n in range(50)] == [1] * 50


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("def grade(a, e, q) return 1", "cannot be read: expected ':', line 1"),
        ("x = 1", "no function grade"),
        ("import socket", "tried to open a file"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_code_that_cannot_work_is_refused_when_it_is_saved(code: str, sentence: str) -> None:
    with pytest.raises(BadSettings, match=sentence):
        complete(GRADERS["code"], {"code": code})


def test_texts_in_any_language_and_of_any_length_arrive() -> None:
    grade = GRADERS["code"].make({"code": "def grade(a, e, q): return a == e and len(a) / 300000"})
    long = "ü猫\u2028" * 100_000

    assert grade(Answered(long, long)) == 1


@settings(deadline=None)
@given(answer=st.text(), expected=st.text())
def test_any_text_arrives_as_it_is(answer: str, expected: str) -> None:
    grade = _equals()

    assert grade(Answered(answer, expected)) == (answer == expected)
    assert grade(Answered(answer, answer)) == 1


@cache
def _equals() -> Grade:
    return GRADERS["code"].make({"code": "def grade(a, e, q): return a == e"})


def test_what_a_function_does_wrong_is_no_score_of_the_answer() -> None:
    grade = GRADERS["code"].make({"code": "def grade(a, e, q): return int(a)"})

    with pytest.raises(CannotGrade, match="ValueError"):
        grade(Answered("four", "4"))


def test_a_comparison_is_graded_by_code(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    code = "def grade(answer, expected, question): return answer == expected and '?' in question"
    grading = Grading("code", {"code": code})

    comparison = make_comparison(cast.project, refs=["local/good", "local/poor"], grading=grading)

    assert run(comparison).state == "succeeded"
    assert [one.score and one.score.mean for one in summaries(comparison)] == [1, 0]


def test_a_comparison_with_broken_code_is_not_started(cast: Cast) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        make_comparison(cast.project, grading=Grading("code", {"code": "def"}))


def test_the_form_shows_a_place_for_the_code(cast: Cast, alice: Client) -> None:
    page = alice.get(f"/p/{cast.project.slug}/evals/new/grader/", {"grader": "code"})

    assert "def grade(answer, expected, question)" in page.content.decode()
