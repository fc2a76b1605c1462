"""How much the web process and the worker grow when a file of 200,000 rows goes through them.

Own installation (`manage.py up`), warmed up with small files; then a JSONL and a CSV file are sent,
imported, frozen and exported over HTTP. Printed and written to var/bench/import.json.

Run: `python -m tests.benchmarks.bench_import [--rows 200000] [--size 600]`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import figure, publish
from tests.benchmarks.large_files import KINDS, Journey, warmed_up, write_file
from tests.journeys.installation import installed

TARGET_MIB = 300.0
"""The most a process may grow."""


def measure(rows: int, size: int) -> list[dict[str, Any]]:
    figures = []
    with tempfile.TemporaryDirectory() as folder, installed() as installation:
        caller = warmed_up(installation, Path(folder))
        for kind in KINDS:
            file = Path(folder) / f"rows.{kind}"
            write_file(file, kind, rows=rows, size=size)
            print(f"{kind}: {rows:,} rows, {file.stat().st_size >> 20} MiB", flush=True)
            found = caller.take_through(file, kind=kind, name=f"Large {kind}")
            assert found.added == found.frozen == rows, found
            figures += figures_of(kind, found)
            file.unlink()
    return figures


def figures_of(kind: str, found: Journey) -> list[dict[str, Any]]:
    """Growth against the target; how fast each step was, for those who wonder."""
    grown = [
        figure(f"{kind}: {name} grew by", [size / (1 << 20)], "MiB", target=TARGET_MIB)
        for name, size in found.grown.items()
    ]
    rates = [
        figure(f"{kind}: {step}", [found.added / seconds], "rows/s")
        for step, seconds in found.seconds.items()
    ]
    return [*grown, *rates]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=600)
    options = parser.parse_args()
    publish("import", measure(options.rows, options.size))


if __name__ == "__main__":
    main()
