"""Fail unless the demo's report shows what the product promises."""

from __future__ import annotations

import json
import sys
from pathlib import Path

report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
captured, scores = report["captured"], report["comparison"]
promises = {
    "every call sent is stored": captured["stored"] == captured["sent"] >= 2000,
    "training tokens are serving tokens": report["parity"]["mismatches"] == 0,
    "the base does not know the task": scores["base"]["exact_match"] <= 0.10,
    "the student learned it": scores["student"]["exact_match"] >= 0.90,
    "the teacher knows it": scores["teacher"]["exact_match"] >= 0.95,
    "the comparison is large enough": scores["student"]["n"] >= 300,
    "the alias was resolved and served": bool(report["resolved"] and report["served"]),
}
broken = [promise for promise, kept in promises.items() if not kept]
if broken:
    sys.exit("The demo broke a promise: " + "; ".join(broken))
sys.stdout.write(f"the demo kept its {len(promises)} promises\n")
