"""`python -P -m finetunes.trainer RUN_DIR`: carry out one training run."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from finetunes.trainer.program import run


def main() -> None:
    """Read the command line, run, and leave with the run's exit code."""
    parser = argparse.ArgumentParser(prog="finetunes.trainer", description=__doc__)
    parser.add_argument("run_dir", type=Path, help="directory with job.json and train.jsonl")
    code = run(parser.parse_args().run_dir.resolve())
    sys.stdout.flush()
    sys.stderr.flush()
    # Interpreter shutdown of the training libraries takes up to a second and may complain about
    # threads; everything we keep is on the disk already.
    os._exit(code)


if __name__ == "__main__":
    main()
