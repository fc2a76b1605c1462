"""The folders stay what docs/architecture.md says they are."""

from __future__ import annotations

import ast
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

import workbench

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("workbench.asgi", "workbench.core.worker", "finetunes.trainer", "finetunes.engine")


def test_platform_is_the_standard_library_here() -> None:
    assert platform.python_version_tuple()[0] == "3"


@pytest.mark.parametrize("program", ["web", "worker", "runner", "trainer"])
def test_platform_is_the_standard_library_in_every_process(program: str) -> None:
    modules = {
        "web": "import os, django; os.environ['DJANGO_SETTINGS_MODULE']='workbench.settings';"
        "django.setup(); import workbench.asgi",
        "worker": "import os, django; os.environ['DJANGO_SETTINGS_MODULE']='workbench.settings';"
        "django.setup(); import workbench.core.worker",
        "runner": "import os, django; os.environ['DJANGO_SETTINGS_MODULE']='workbench.settings';"
        "django.setup(); import finetunes.supervision.runner",
        "trainer": "import finetunes.trainer.job",
    }
    check = f"{modules[program]}; import platform; print(platform.__file__)"

    done = subprocess.run(
        [sys.executable, "-P", "-c", check],
        cwd=ROOT, capture_output=True, text=True, check=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip

    assert Path(done.stdout.strip().splitlines()[-1]).name == "platform.py"


def test_platform_holds_no_module_and_is_no_package() -> None:
    assert list((ROOT / "platform").glob("*.py")) == []


def test_no_package_of_ours_shadows_a_library() -> None:
    traps = {"datasets", "tokenizers", "evaluate", "queue", "types", "platform"}

    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert packages.isdisjoint(traps)


def test_our_packages_come_from_this_repository() -> None:
    assert ROOT in Path(workbench.__file__).parents


def _functions() -> list[tuple[str, int]]:
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    code = [p for p in tracked if not re.search(r"(^|/)(tests|migrations)/", p)]
    sizes = []
    for path in code:
        if not (ROOT / path).exists():
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                sizes.append((f"{path}:{node.name}", length))
    return sizes


def test_functions_stay_small() -> None:
    sizes = _functions()

    too_long = [name for name, length in sizes if length > 60]
    lengths = sorted(length for _, length in sizes)

    assert too_long == []
    assert lengths[len(lengths) // 2] <= 9
    assert lengths[int(len(lengths) * 0.9)] <= 30


def test_files_stay_small() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py", "*.html", "*.css", "*.js"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    limits = {".py": 500, ".html": 150, ".css": 150, ".js": 200}
    own = [p for p in tracked if "/vendor/" not in p and "/migrations/" not in p]

    too_long = [
        f"{path} ({lines})"
        for path in own
        if (ROOT / path).exists()
        and (lines := len((ROOT / path).read_text(encoding="utf-8").splitlines()))
        > limits[Path(path).suffix] + (100 if path.startswith("tests/") else 0)
    ]

    assert too_long == []
