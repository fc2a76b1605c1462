"""The checker: what was noted against what is stored, after everything has drained."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import zstandard

from tests.durability.clients import GATEWAY_ROW
from tests.durability.load import digest
from tests.durability.nemesis import DOUBT_SECONDS
from tests.durability.records import Acked, Expected, Sent, read_acked, read_sent, read_unknown

MOST_EXAMPLES = 10
BODIES = """
SELECT b.id::text, b.codec, b.request, b.request_sha256, b.response, b.response_sha256,
       r.source, r.id IS NULL AS lacks_facts
FROM requests_log_body b
LEFT JOIN requests_log_request r ON r.project_id = b.project_id AND r.id = b.id
WHERE b.project_id = %s
"""
QUARANTINE = """
SELECT id::text, 'raw', request, NULL, response, NULL, NULL, false
FROM requests_log_quarantine WHERE project_id = %s
"""
WITHOUT_BODY = """
SELECT r.id::text FROM requests_log_request r WHERE r.project_id = %s AND NOT EXISTS (
    SELECT FROM requests_log_body b WHERE b.project_id = r.project_id AND b.id = r.id)
"""
WITHOUT_TAGS = """
SELECT r.id::text FROM requests_log_request r WHERE r.project_id = %s AND NOT EXISTS (
    SELECT FROM requests_log_tags t WHERE t.project_id = r.project_id AND t.id = r.id)
"""
WITHOUT_DIGEST = """
SELECT r.id::text FROM requests_log_request r WHERE r.project_id = %s
AND NOT EXISTS (SELECT FROM requests_log_digest d
                WHERE d.project_id = r.project_id AND d.id = r.id)
AND NOT EXISTS (SELECT FROM requests_log_undigested u
                WHERE u.project_id = r.project_id AND u.id = r.id)
"""
SPANS = """
SELECT id::text, codec, sha256, input, output, attributes FROM requests_log_span
WHERE project_id = %s
"""
SCORES = "SELECT id::text, data_type, number, label FROM requests_log_score WHERE project_id = %s"
DROPPED = "SELECT coalesce(sum(count), 0) FROM requests_log_dropped WHERE project_id = %s"


@dataclass(frozen=True)
class Found:
    """A stored event: the hashes of its bytes as they are read back now."""

    digests: tuple[str | None, ...]
    is_intact: bool


@dataclass
class Report:
    """The counts of a run; `problems` is empty when every promise was kept."""

    sent: int = 0
    acked: int = 0
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    differing: int = 0
    quarantined: int = 0
    rejected: int = 0
    unknown: int = 0
    in_doubt: int = 0
    dropped: int = 0
    batches: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def blame(self, what: str, examples: list[str]) -> int:
        """Note a broken promise, if there are examples of it; returns how many."""
        if examples:
            some = ", ".join(sorted(examples)[:MOST_EXAMPLES])
            self.problems.append(f"{len(examples)} {what}: {some}")
        return len(examples)

    def line(self) -> str:
        names = (
            "sent", "acked", "stored", "lost", "duplicated", "differing", "quarantined",
            "rejected", "unknown",
        )  # fmt: skip
        return " ".join(f"{name} {getattr(self, name)}" for name in names)


@dataclass
class History:
    """What the writer noted, by event; the same id may have been sent many times."""

    events: dict[str, Expected] = field(default_factory=dict)
    verdicts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    acked: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    has_unknown: set[str] = field(default_factory=set)
    dropped_least: int = 0
    dropped_most: int = 0


def check(
    folder: Path, connection: psycopg.Connection[Any], project: int, web_deaths: list[float]
) -> Report:
    """Compare; nothing may be running any more that stores."""
    report = Report()
    history = _read(folder, web_deaths, report)
    stored = _found(connection, BODIES, project, _request)
    stored |= _found(connection, SPANS, project, _span)
    stored |= _found(connection, SCORES, project, _score)
    quarantined = _found(connection, QUARANTINE, project, _request)
    _check_answers(history, report)
    _check_stored(history, stored, report)
    _check_quarantine(history, stored, quarantined, report)
    _check_sums(connection, project, history, report)
    report.sent = len(history.events)
    report.acked = len(history.acked)
    report.stored = sum(map(len, stored.values()))
    report.quarantined = sum(map(len, quarantined.values()))
    _check_balance(history, set(stored), set(quarantined), report)
    return report


def _read(folder: Path, web_deaths: list[float], report: Report) -> History:
    history, batches = History(), dict[str, Sent]()
    for sent in read_sent(folder):
        batches[sent.batch] = sent
        history.events.update((event.id, event) for event in sent.events)
    attempts: Counter[str] = Counter()
    refused = []
    for unknown in read_unknown(folder):
        attempts[unknown.batch] += 1
        history.has_unknown.update(event.id for event in batches[unknown.batch].events)
        if unknown.reason.startswith("HTTP 4"):
            refused.append(f"{unknown.batch} with {unknown.reason}")
    answered = set()
    for acked in read_acked(folder):
        answered.add(acked.batch)
        attempts[acked.batch] += 1
        history.dropped_least += batches[acked.batch].dropped
        _take_answer(history, batches[acked.batch], acked, web_deaths, report)
    report.batches = len(batches)
    report.blame("batches refused as a whole", refused)
    history.dropped_most = sum(batches[name].dropped * count for name, count in attempts.items())
    unanswered = (events for name, one in batches.items() if name not in answered
                  for events in [one.events])  # fmt: skip
    report.unknown = len({event.id for events in unanswered for event in events})
    return history


def _take_answer(
    history: History, sent: Sent, acked: Acked, web_deaths: list[float], report: Report
) -> None:
    if len(acked.verdicts) != len(sent.events):
        report.blame("answers with too few or too many results", [sent.batch])
        return
    seen = Counter(acked.verdicts)
    observed = seen["accepted"] + seen["stored"], seen["duplicate"], seen["rejected"]
    if observed != tuple(acked.counts):
        report.blame("answers whose counts differ from their results", [sent.batch])
    report.verdicts.update(acked.verdicts)
    is_sure = acked.sure or not any(
        acked.at <= death + 1 and death < acked.at + DOUBT_SECONDS for death in web_deaths
    )
    for event, verdict in zip(sent.events, acked.verdicts, strict=True):
        history.verdicts[event.id].append(verdict)
        if verdict != "rejected":
            (history.acked if is_sure else history.unsure).add(event.id)


def _found(
    connection: psycopg.Connection[Any],
    query: str,
    project: int,
    read: Callable[..., tuple[str, Found]],
) -> dict[str, list[Found]]:
    found: dict[str, list[Found]] = defaultdict(list)
    for row in _rows(connection, query, project):
        key, one = read(*row)
        found[key].append(one)
    return found


def _request(
    identifier: str,
    codec: str,
    request: bytes,
    request_sha: bytes | None,
    response: bytes | None,
    response_sha: bytes | None,
    source: str | None,
    lacks_facts: bool,
) -> tuple[str, Found]:
    asked = digest(_plain(request, codec))
    answered = None if response is None else digest(_plain(response, codec))
    is_intact = not lacks_facts and request_sha in {None, bytes.fromhex(asked)}
    is_intact &= response_sha is None or response_sha == bytes.fromhex(answered or "")
    key = GATEWAY_ROW + asked if source == "gateway" else identifier
    return key, Found((asked, answered), is_intact)


def _span(identifier: str, codec: str, sha: bytes, *documents: bytes | None) -> tuple[str, Found]:
    plain = [None if one is None else _plain(one, codec) for one in documents]
    whole = hashlib.sha256()
    for one in plain:
        whole.update(struct.pack("!i", -1) if one is None else struct.pack("!i", len(one)) + one)
    digests = tuple(None if one is None else digest(one) for one in plain)
    return identifier, Found(digests, whole.digest() == sha)


def _score(
    identifier: str, data_type: str, number: float | None, label: str | None
) -> tuple[str, Found]:
    return identifier, Found((digest(f"{data_type} {number} {label}".encode()),), True)


def _plain(kept: bytes, codec: str) -> bytes:
    """The bytes as they were sent, without the product's own reader."""
    return zstandard.ZstdDecompressor().decompress(kept) if codec == "zstd" else kept


def _rows(
    connection: psycopg.Connection[Any], query: str, project: int
) -> Iterator[tuple[Any, ...]]:
    with connection.transaction(), connection.cursor("checker", binary=True) as cursor:
        cursor.itersize = 500
        yield from cursor.execute(query, [project])


def _check_answers(history: History, report: Report) -> None:
    """Each event has the verdict it deserves, and at most one answer says “accepted”."""
    wrong = [
        f"{identifier} ({history.events[identifier].fate}: {', '.join(verdicts)})"
        for identifier, verdicts in history.verdicts.items()
        if {verdict == "rejected" for verdict in verdicts}
        != {history.events[identifier].fate != "stored"}
    ]
    report.blame("events with a wrong verdict", wrong)
    twice = [one for one, verdicts in history.verdicts.items() if verdicts.count("accepted") > 1]
    report.duplicated += report.blame("events accepted more than once", twice)
    report.rejected = sum(
        1
        for identifier, verdicts in history.verdicts.items()
        if verdicts and history.events[identifier].fate == "rejected"
    )


def _check_stored(history: History, stored: dict[str, list[Found]], report: Report) -> None:
    report.lost += report.blame("acknowledged events not stored", [*history.acked - set(stored)])
    report.in_doubt = len(history.unsure - history.acked - set(stored))
    more = [one for one, rows in stored.items() if len(rows) > 1]
    report.duplicated += report.blame("events stored more than once", more)
    strange = [one for one in stored if one not in history.events]
    report.blame("stored events nobody sent", strange)
    unfit = [one for one in stored
             if one in history.events and history.events[one].fate != "stored"]  # fmt: skip
    report.blame("stored events that must not be", unfit)
    differing = [
        identifier
        for identifier, rows in stored.items()
        if identifier in history.events
        and not _is_exact(history.events[identifier], rows[0], identifier in history.acked)
    ]
    report.differing += report.blame("events whose bytes differ", differing)


def _is_exact(expected: Expected, found: Found, is_acked: bool) -> bool:
    """Whether the bytes are those sent; a call through the gateway may have been broken off."""
    if not found.is_intact or found.digests[0] != expected.digests[0]:
        return False
    broken_off = expected.id.startswith(GATEWAY_ROW) and not is_acked
    return broken_off or found.digests == expected.digests


def _check_quarantine(
    history: History,
    stored: dict[str, list[Found]],
    quarantined: dict[str, list[Found]],
    report: Report,
) -> None:
    answered = {
        one for one, verdicts in history.verdicts.items()
        if verdicts and history.events[one].fate == "quarantined"
    }  # fmt: skip
    lost = [*answered - set(quarantined)]
    report.lost += report.blame("refused events missing from quarantine", lost)
    both = [*set(stored) & set(quarantined)]
    report.duplicated += report.blame("events both stored and in quarantine", both)
    wrong = [
        identifier
        for identifier, rows in quarantined.items()
        if (expected := history.events.get(identifier)) is None
        or expected.fate != "quarantined"
        or not _is_exact(expected, rows[0], is_acked=True)
    ]
    report.differing += report.blame("events in quarantine that differ or do not belong", wrong)


def _check_sums(
    connection: psycopg.Connection[Any], project: int, history: History, report: Report
) -> None:
    """Rows of one event are in all of their tables, and reported losses are counted."""
    bodiless = [row[0] for row in _rows(connection, WITHOUT_BODY, project)]
    report.lost += report.blame("events without their bytes", bodiless)
    tagless = [row[0] for row in _rows(connection, WITHOUT_TAGS, project)]
    report.lost += report.blame("events without their tags", tagless)
    forgotten = [row[0] for row in _rows(connection, WITHOUT_DIGEST, project)]
    report.blame("events that will never be digested", forgotten)
    report.dropped = int(next(_rows(connection, DROPPED, project))[0])
    if not history.dropped_least <= report.dropped <= history.dropped_most:
        least, most = history.dropped_least, history.dropped_most
        report.problems.append(f"{report.dropped} reported losses counted, {least} to {most} sent")


def _check_balance(
    history: History, stored: set[str], quarantined: set[str], report: Report
) -> None:
    """Whatever was sent is stored, in quarantine, rejected, or was never answered for."""
    rejected = {one for one, verdicts in history.verdicts.items() if "rejected" in verdicts}
    nowhere = set(history.events) - stored - quarantined - rejected - history.has_unknown
    nowhere -= history.unsure
    report.lost += report.blame("events that vanished", [*nowhere - history.acked])
