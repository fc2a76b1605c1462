"""What a rendered page holds."""

from __future__ import annotations

import json
import re
from html import unescape
from types import SimpleNamespace

from django.contrib.messages import ERROR, SUCCESS

from tests.ui.pages import message, pattern_page, rendered


def test_the_theme_is_in_the_page_before_it_is_painted() -> None:
    assert '<html lang="en" data-theme="dark">' in pattern_page(theme="dark")
    assert '<html lang="en">' in pattern_page(theme="nonsense")


def test_htmx_is_told_to_stay_within_the_policy() -> None:
    written = re.search(r"name=\"htmx-config\" content='(.+?)'", pattern_page(), re.DOTALL)

    assert written is not None
    config = json.loads(unescape(written[1]))
    assert config["allowEval"] is False
    assert config["includeIndicatorStyles"] is False
    assert {"code": "422", "swap": True} in config["responseHandling"]


def test_every_page_sends_the_csrf_token_with_htmx() -> None:
    assert re.search(r"hx-headers='{\"X-CSRFToken\": \"\w{64}\"}'", pattern_page())


def test_messages_become_toasts_with_the_hue_of_their_level() -> None:
    said = [message(SUCCESS, "Saved."), message(ERROR, "<b>Frozen</b>")]

    page = rendered("shell/patterns.html", {"messages": said})

    assert 'class="toast toast--good" role="status"' in page
    assert 'class="toast toast--bad" role="alert"' in page
    assert "&lt;b&gt;Frozen&lt;/b&gt;" in page


def test_logged_text_is_never_markup() -> None:
    hostile = [{"role": "user", "content": "<img src=x onerror=alert(1)>"}]

    page = rendered("components/transcript.html", {"messages": hostile})

    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_a_field_with_an_error_is_tied_to_its_sentence() -> None:
    page = pattern_page()

    assert 'aria-invalid="true"' in page
    assert 'class="field__error" id="id_name_error"' in page


def test_a_figure_cannot_break_out_of_its_script() -> None:
    figure = {"data": [], "layout": {"title": "</script><script>alert(1)</script>"}}

    page = rendered("components/chart.html", {"id": "loss", "figure": figure})

    assert 'id="loss-figure"' in page
    assert "alert(1)</script>" not in page


def test_pages_keep_the_query() -> None:
    page = SimpleNamespace(rows=[1, 2], older="0193-x", newer=None)

    html = rendered("components/pager.html", {"page": page}, path="/?q=model%3Ax&after=old")

    assert 'href="?q=model%3Ax&amp;before=0193-x"' in html
    assert "Newer" not in html


def test_sorting_a_second_time_turns_the_order_round() -> None:
    column = {"label": "Cost", "sort": "cost"}

    first = rendered("components/column.html", column)
    second = rendered("components/column.html", column, path="/?sort=-cost")

    assert 'href="?sort=-cost"' in first
    assert 'aria-sort="descending"' in second
    assert 'href="?sort=cost"' in second


def test_the_first_page_of_a_project_waits_for_a_request() -> None:
    page = rendered("shell/home.html", {"overview": SimpleNamespace(has_requests=False)})

    assert "Waiting for your first request" in page
    assert 'href="/p/acme/settings/keys/"' in page


def test_error_pages_say_what_to_do() -> None:
    for code in (400, 403, 404):
        assert f'<span class="error-page__code">{code}</span>' in rendered(f"{code}.html")
    assert "Try again" in rendered("500.html")
