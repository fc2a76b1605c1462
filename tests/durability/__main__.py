"""`python -m tests.durability --cycles 20 --seed 7`: kill everything, then count.

The last line holds the counts; the exit code is 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import random
import sys

from tests.durability.nemesis import plan
from tests.durability.torture import aloud, torture


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=20, help="how often something is broken")
    parser.add_argument("--seed", type=int, default=None, help="the run to repeat")
    parser.add_argument(
        "--asynchronous", action="store_true",
        help="the control run: commit without waiting for the disk; it must fail",
    )  # fmt: skip
    options = parser.parse_args()
    seed = random.randrange(1 << 31) if options.seed is None else options.seed
    print(f"seed {seed}, {options.cycles} cycles", flush=True)
    acts = ["kill postmaster"] if options.asynchronous else []
    report = torture(
        plan(seed, options.cycles, acts),
        seed,
        asynchronous=options.asynchronous,
        say=aloud,
    )
    for problem in report.problems:
        print(problem)
    print(
        f"batches {report.batches}, verdicts {dict(report.verdicts)}, "
        f"gateway calls in doubt {report.in_doubt}, reported losses {report.dropped}"
    )
    print(f"{report.line()} (seed {seed}, {options.cycles} cycles)")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
