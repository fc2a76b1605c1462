"""A large file goes through every process in the memory of a few batches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.benchmarks.large_files import KINDS, Watch, warmed_up, write_file
from tests.journeys.installation import installed

ROWS, SIZE = 20_000, 6_000
MOST_GROWN = 96 << 20
"""Bytes a process may grow; the file alone is larger. `bench_import` takes 200,000 rows through."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_process_holds_a_large_file(tmp_path: Path) -> None:
    with installed() as installation:
        caller = warmed_up(installation, tmp_path)
        for kind in KINDS:
            file = tmp_path / f"large.{kind}"
            write_file(file, kind, rows=ROWS, size=SIZE)

            found = caller.take_through(file, kind=kind, name=f"Large {kind}")

            print(kind, {name: f"{size >> 20} MiB" for name, size in found.grown.items()})  # noqa: T201
            assert found.sent > MOST_GROWN
            assert found.added == found.frozen == ROWS
            assert found.lines == ROWS + (kind == "csv")
            assert max(found.grown.values()) < MOST_GROWN


def test_a_process_that_holds_a_file_is_noticed() -> None:
    """That the measure above is one."""
    hold = "input(); held = b'x' * (50 << 20); print(flush=True); input()"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", hold], **pipes) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        with Watch({"holder": psutil.Process(holder.pid)}) as watch:
            holder.stdin.write("\n")
            holder.stdin.flush()
            holder.stdout.readline()
        holder.communicate("\n")

    assert watch.grown["holder"] >= 40 << 20
