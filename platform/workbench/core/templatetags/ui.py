"""How values look on a page: times, money, tokens, states, small pictures.

Every filter takes what a model or a queryset holds and gives text fit to show; an unknown value
(`None`, or the empty text that Django puts for a missing one) is shown as a dash, so templates
need no `if`. Whatever may hold logged content is escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias

from django import template
from django.utils import timezone
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

DASH: Final = "\N{EN DASH}"
"""Shown where a value is not known."""

MINUS: Final = "\N{MINUS SIGN}"

LONGEST_COLOURED_JSON: Final = 200_000
"""Characters; longer JSON is shown plain, because colouring would slow the page down."""

Number: TypeAlias = float | Decimal | str | None
"""Text means unknown here: Django gives the empty text for what a template does not find."""

_SECOND, _MINUTE, _HOUR, _DAY = 1, 60, 3600, 86_400

_WORDS_BY_TONE: Final[Mapping[str, str]] = {
    "good": """ok accepted active allowed completed connected current done finished frozen healthy
        passed promoted ready succeeded win""",
    "warn": """client_closed degraded drifted expiring over_budget preempted stale stopping
        throttled warning""",
    "bad": """blocked dead error expired failed lose lost refused rejected revoked unreachable""",
    "live": """cancelling evaluating exporting importing leased loading preparing running serving
        starting training""",
}
_TONES: Final = {word: tone for tone, words in _WORDS_BY_TONE.items() for word in words.split()}


@register.filter
def exact(value: datetime | date | str | None) -> str:
    """A moment to the second with its zone, in the current time zone: 2026-11-21 09:43:57 UTC."""
    if value is None or isinstance(value, str):
        return DASH
    if not isinstance(value, datetime):
        return value.isoformat()
    return _local(value).strftime("%Y-%m-%d %H:%M:%S %Z").rstrip()


@register.filter
def timeago(value: datetime | str | None, now: datetime | None = None) -> SafeString:
    """How long ago (or in how long), with the exact moment in the title."""
    if value is None or isinstance(value, str):
        return escape(DASH)
    apart = ((now or timezone.now()) - value).total_seconds()
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.astimezone(UTC).isoformat(timespec="seconds"),
        exact(value),
        _relative(apart, value),
    )


def _relative(apart: float, value: datetime) -> str:
    size = abs(apart)
    if size < 5:
        return "now"
    if size >= 30 * _DAY:
        local = _local(value)
        return f"{local.day} {local:%b %Y}"
    span = next(
        f"{int(size // unit)} {name}"
        for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (_SECOND, "s"))
        if size >= unit
    )
    return f"{span} ago" if apart > 0 else f"in {span}"


def _local(value: datetime) -> datetime:
    return timezone.localtime(value) if timezone.is_aware(value) else value


@register.filter
def duration(value: Number | timedelta) -> str:
    """A span of time; a number is milliseconds: 812 ms, 1.24 s, 2 min 5 s."""
    if value is None or isinstance(value, str):
        return DASH
    return _span(value.total_seconds() if isinstance(value, timedelta) else float(value) / 1000)


@register.filter
def seconds(value: Number) -> str:
    """Like `duration`, for a number of seconds."""
    return DASH if value is None or isinstance(value, str) else _span(float(value))


def _span(length: float) -> str:
    if length < 0:
        return f"{MINUS}{_span(-length)}"
    if length < 0.9995:
        return f"{_figures(length * 1000)} ms"
    if length < 59.95:
        return f"{_figures(length)} s"
    whole = round(length)
    if whole < _HOUR:
        return _two(whole, _MINUTE, "min", _SECOND, "s")
    if whole < _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    return _two(whole, _DAY, "d", _HOUR, "h")


def _two(whole: int, unit: int, name: str, smaller: int, smaller_name: str) -> str:
    many, rest = divmod(whole, unit)
    return (
        f"{many} {name} {rest // smaller} {smaller_name}" if rest // smaller else f"{many} {name}"
    )


def _figures(value: float) -> str:
    if value == 0 or value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= 0.001 else "<0.001"


@register.filter
def compact_number(value: Number) -> str:
    """A count in little room: 950, 12,345, 1.2 M. Below 100,000 every digit is shown."""
    if value is None or isinstance(value, str):
        return DASH
    size = float(value)
    for unit, name in ((1e9, "B"), (1e6, "M")):
        if abs(size) >= unit:
            return f"{size / unit:.3g} {name}"
    if abs(size) >= 100_000:
        return f"{size / 1000:.0f} k"
    return f"{size:,.0f}" if size == int(size) else f"{size:,.2f}"


@register.filter
def tokens(value: Number) -> str:
    """A number of tokens, without the word: the column's head has it."""
    return compact_number(value)


@register.filter
def cost(value: Number) -> str:
    """US dollars, with as many digits as tell two calls apart: $0, $0.00042, $1.23, $12,345."""
    if value is None or isinstance(value, str):
        return DASH
    amount = Decimal(str(value))
    if amount < 0:
        return f"{MINUS}{cost(-amount)}"
    if amount == 0:
        return "$0"
    if amount < Decimal("0.000001"):
        return "<$0.000001"
    if amount < 1:
        return f"${_two_significant(amount)}"
    return f"${amount:,.2f}" if amount < 1000 else f"${amount:,.0f}"


def _two_significant(amount: Decimal) -> str:
    places = max(2, 1 - amount.adjusted())
    return f"{amount:.{places}f}"


@register.filter
def percent(value: Number, places: int = 1) -> str:
    """A share between 0 and 1 as per cent: 0.123 is 12.3 %."""
    return DASH if value is None or isinstance(value, str) else f"{float(value) * 100:.{places}f} %"


@register.filter
def signed(value: Number, places: int = 2) -> str:
    """A difference with its sign, a true minus among them: +0.12."""
    if value is None or isinstance(value, str):
        return DASH
    return f"{float(value):+.{places}f}".replace("-", MINUS)


@register.filter
def share_of(part: float | None, whole: float | None) -> float | None:
    """`part` as a share of `whole`; nothing where there is no whole."""
    return None if part is None or not whole else part / whole


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawing from `components/icons.svg`, which `base.html` puts into every page."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="#i-{}"></use></svg>', name)


@register.simple_tag
def key(keys: str) -> SafeString:
    """The keys of a shortcut, as caps; one after the other when a space stands between them."""
    return format_html_join(
        " ", '<kbd class="kbd">{}</kbd>', ((_cap(one),) for one in keys.split())
    )


def _cap(name: str) -> str:
    named = {"enter": "↵", "escape": "Esc", "mod+k": "⌘K", "shift+x": "⇧X"}
    return named.get(name.lower(), name.upper() if len(name) == 1 else name)


@register.filter
def tone(state: object) -> str:
    """The hue of a state: good, warn, bad, live, or idle for whatever only waits."""
    return _TONES.get(str(state).lower().replace(" ", "_").replace("-", "_"), "idle")


@register.simple_tag(name="state")
def state_badge(value: object, label: str = "", *, bare: bool = False, hue: str = "") -> SafeString:
    """A state as a mark and a word; `bare` leaves the word to screen readers and the title."""
    word = label or str(value).replace("_", " ").capitalize()
    return format_html(
        '<span class="state state--{}{}"{}><span class="state__mark" aria-hidden="true"></span>'
        '<span class="state__word">{}</span></span>',
        hue or tone(value),
        " state--bare" if bare else "",
        format_html(' title="{}"', word) if bare else "",
        word,
    )


@register.filter
def sparkline(values: Iterable[float | None], hue: str = "") -> SafeString:
    """A small line of the values, oldest first, as inline SVG (96 by 20); `hue` may be "bad".

    Gaps (`None`) count as zero: buckets without a call are calls that did not happen.
    """
    heights = [float(value or 0) for value in values]
    if len(heights) < 2:
        return SafeString()
    top = max(heights) or 1.0
    step = 96 / (len(heights) - 1)
    points = " ".join(
        f"{i * step:.1f},{19 - 18 * max(value, 0) / top:.1f}" for i, value in enumerate(heights)
    )
    return format_html(
        '<svg class="spark{}" viewBox="0 0 96 20" width="96" height="20" role="img" '
        'aria-label="{}"><polygon class="spark__area" points="0,20 {} 96,20"></polygon>'
        '<polyline points="{}"></polyline></svg>',
        f" spark--{hue}" if hue else "",
        f"from {compact_number(heights[0])} to {compact_number(heights[-1])}, "
        f"at most {compact_number(max(heights))}",
        points,
        points,
    )


@register.simple_tag
def share_bar(part: float | None, most: float | None) -> SafeString:
    """The thin bar below a facet's value: `part` against the largest value of the facet."""
    share = min(1.0, max(0.0, (part or 0) / most)) if most else 0.0
    return format_html(
        '<svg class="facet__bar" viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">'
        '<rect width="{}" height="2" rx="1"></rect></svg>',
        f"{share * 100:.1f}",
    )


_JSON_PARTS = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<string>"(?:[^"\\]|\\.)*")'
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<word>\btrue\b|\bfalse\b|\bnull\b)"
)


@register.filter
def json_pretty(value: object) -> SafeString:
    """JSON with line breaks and colours, escaped; text that is no JSON is shown as it is."""
    text = _json_text(value)
    if text is None:
        return escape(_plain(value))
    return escape(text) if len(text) > LONGEST_COLOURED_JSON else _coloured(text)


def _json_text(value: object) -> str | None:
    if isinstance(value, str | bytes):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, default=str)
    except (ValueError, TypeError):
        return None


def _coloured(text: str) -> SafeString:
    parts: list[str] = []
    end = 0
    for match in _JSON_PARTS.finditer(text):
        parts.append(escape(text[end : match.start()]))
        parts.append(format_html('<span class="json-{}">{}</span>', match.lastgroup, match[0]))
        end = match.end()
    parts.append(escape(text[end:]))
    return mark_safe("".join(parts))  # noqa: S308  every part was escaped above


def _plain(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


@register.filter
def content_text(content: object) -> str:
    """The text of a chat message's content: a string, or a list of typed parts as OpenAI has it.

    A part that is not text is named in brackets; nothing remote is ever loaded.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "\n".join(_part_text(part) for part in content)
    return json.dumps(content, ensure_ascii=False, default=str)


def _part_text(part: object) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping):
        text = part.get("text")
        return text if isinstance(text, str) else f"[{part.get('type', 'part')}]"
    return str(part)


@register.filter
def initials(name: object) -> str:
    """Two letters for a person: of the first two words of a name, or the start of an address."""
    words = re.split(r"[\s._-]+", str(name).split("@")[0].strip())
    return "".join(word[:1] for word in words[:2]) or "?"


@register.filter
def entry(names: Mapping[str, object], key: str) -> object:
    """What a mapping holds under a key; the key itself when it holds nothing."""
    return names.get(key, key)


@register.filter
def level_tone(level: str) -> str:
    """The hue of a message's level: Django's words (success, warning, error), or a hue itself."""
    return {"success": "good", "warning": "warn", "error": "bad"}.get(level, level or "live")
