"""How values look on a page."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils.safestring import SafeString

from workbench.core.templatetags import ui

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("apart", "shown"),
    [
        (timedelta(seconds=2), "now"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(minutes=61), "1 h ago"),
        (timedelta(days=29), "29 d ago"),
        (timedelta(days=40), "12 Oct 2026"),
        (timedelta(minutes=-3), "in 3 min"),
    ],
)
def test_a_moment_is_shown_relative_to_now(apart: timedelta, shown: str) -> None:
    html = ui.timeago(NOON - apart, NOON)

    assert f">{shown}</time>" in html


def test_the_exact_moment_stands_in_the_title() -> None:
    html = ui.timeago(NOON - timedelta(hours=2), NOON)

    assert 'title="2026-11-21 10:00:00 UTC"' in html
    assert 'datetime="2026-11-21T10:00:00+00:00"' in html


def test_a_day_without_a_time_is_shown_as_a_day() -> None:
    assert ui.exact(date(2026, 11, 21)) == "2026-11-21"


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (0, "0 ms"),
        (0.42, "0.42 ms"),
        (812.4, "812 ms"),
        (999.6, "1 s"),
        (1244, "1.24 s"),
        (59_960, "1 min"),
        (125_000, "2 min 5 s"),
        (11_520_000, "3 h 12 min"),
        (187_200_000, "2 d 4 h"),
        (-1500, f"{MINUS}1.5 s"),
    ],
)
def test_a_duration_has_three_figures_at_most(milliseconds: float, shown: str) -> None:
    assert ui.duration(milliseconds) == shown


def test_a_duration_may_be_given_in_seconds_or_as_a_timedelta() -> None:
    assert ui.seconds(90) == ui.duration(timedelta(seconds=90)) == "1 min 30 s"


@pytest.mark.parametrize(
    ("dollars", "shown"),
    [
        ("0", "$0"),
        ("0.0000001", "<$0.000001"),
        ("0.00042", "$0.00042"),
        ("0.0126", "$0.013"),
        ("0.5", "$0.50"),
        ("1.234", "$1.23"),
        ("12345.6", "$12,346"),
        ("-2", f"{MINUS}$2.00"),
    ],
)
def test_a_cost_keeps_the_digits_that_matter(dollars: str, shown: str) -> None:
    assert ui.cost(Decimal(dollars)) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"),
        (950, "950"),
        (12_345, "12,345"),
        (121_370, "121 k"),
        (1_240_000, "1.24 M"),
        (3.1e9, "3.1 B"),
        (0.62, "0.62"),
    ],
)
def test_a_count_takes_little_room(count: float, shown: str) -> None:
    assert ui.compact_number(count) == shown


def test_shares_and_differences_read_well() -> None:
    assert ui.percent(0.1234) == "12.3 %"
    assert ui.signed(-0.031) == f"{MINUS}0.03"
    assert ui.signed(0.12) == "+0.12"


@pytest.mark.parametrize("unknown", [None, ""])
def test_what_is_not_known_is_a_dash(unknown: str | None) -> None:
    for shown in (ui.timeago, ui.exact, ui.duration, ui.cost, ui.tokens, ui.percent, ui.signed):
        assert shown(unknown) == DASH


@pytest.mark.parametrize(
    ("state", "hue"),
    [("succeeded", "good"), ("client_closed", "warn"), ("Failed", "bad"), ("running", "live")],
)
def test_a_state_has_the_hue_of_its_meaning(state: str, hue: str) -> None:
    assert ui.tone(state) == hue
    assert f"state--{hue}" in ui.state_badge(state)


def test_an_unheard_of_state_only_waits() -> None:
    assert ui.tone("queued") == ui.tone("whatever") == "idle"


def test_a_bare_state_still_says_its_word() -> None:
    html = ui.state_badge("client_closed", bare=True)

    assert 'title="Client closed"' in html
    assert ">Client closed<" in html


def test_json_is_indented_and_escaped() -> None:
    html = ui.json_pretty('{"a": "<script>alert(1)</script>", "n": [1, null]}')

    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert '<span class="json-number">1</span>' in html
    assert html.count("\n") == 6


def test_text_that_is_no_json_is_shown_as_it_is() -> None:
    shown = ui.json_pretty(b"<b>not \xff json")

    assert shown == "&lt;b&gt;not \N{REPLACEMENT CHARACTER} json"
    assert isinstance(shown, SafeString)


def test_the_text_of_a_message_may_come_in_parts() -> None:
    parts = [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": "https://example.com/tracker.png"}},
    ]

    assert ui.content_text(parts) == "Look:\n[image_url]"
    assert ui.content_text(None) == ""


def test_a_sparkline_stays_in_its_frame_and_counts_gaps_as_zero() -> None:
    html = ui.sparkline([0, 4, None, 8])

    assert 'points="0.0,19.0 32.0,10.0 64.0,19.0 96.0,1.0"' in html
    assert 'aria-label="from 0 to 8, at most 8"' in html


def test_one_value_makes_no_line() -> None:
    assert ui.sparkline([3]) == ""


def test_two_keys_are_two_caps() -> None:
    assert ui.key("g l").count("<kbd") == 2


def test_initials_come_from_a_name_or_an_address() -> None:
    assert ui.initials("Mara Lindqvist") == "ML"
    assert ui.initials("ada@example.com") == "a"
