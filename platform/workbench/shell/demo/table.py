"""The report as a table for people."""

from __future__ import annotations

from typing import Any


def as_table(report: dict[str, Any]) -> str:
    """The figures of one turn of the loop."""
    captured, training, parity = report["captured"], report["training"], report["parity"]
    facts = [
        ("captured", f"{captured['stored']:,} stored of {captured['sent']:,} sent"),
        ("selected", f"{report['selected']:,} calls by query"),
        ("frozen", _version(report["dataset_version"])),
        (
            "trained",
            f"{training['seconds']:.0f} s, loss {training['loss_first']:.2f} → "
            f"{training['loss_last']:.3f}",
        ),
        ("parity", f"{parity['rows_checked']:,} rows checked, {parity['mismatches']} mismatches"),
        ("registered", f"{report['registered']}, promoted to {report['alias']}"),
    ]
    lines = [f"  {name:<12} {value}" for name, value in facts]
    return "\n".join(["", *lines, "", *_scores(report["comparison"]), "", *_served(report), ""])


def _version(version: dict[str, Any]) -> str:
    splits = version["splits"]
    return (
        f"{version['dataset']} v{version['number']}, {splits['train']:,} train + "
        f"{splits['heldout']:,} held out, {version['content_hash'][:12]}"
    )


def _scores(comparison: dict[str, Any]) -> list[str]:
    head = f"  {'unseen names':<12} {'exact match':>12}   95 % interval      n"
    rows = [
        f"  {label:<12} {s['exact_match']:>11.1%}   {s['low']:.1%} to {s['high']:.1%}   {s['n']:>5}"
        for label, s in comparison.items()
    ]
    return [head, *rows]


def _served(report: dict[str, Any]) -> list[str]:
    return [f"  {turn['prompt']}? {turn['answer']}" for turn in report["served"]]
