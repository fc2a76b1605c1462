"""Prices as CSV: out and in again, all lines or none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from requests_log.digest import prices
from requests_log.models import Price
from requests_log.pricing.actions import import_prices, set_price
from requests_log.pricing.files import from_csv, to_csv
from tests.conftest import Cast
from workbench.core.errors import InvalidInput
from workbench.core.models import Job, Project

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
HEAD = "provider,model,valid_from,input,cached,output\n"
FILE = f"""\
{HEAD}openai,"mine, the large",2026-06-01,2.5,1.25,10
together,meta/llama-3,2026-06-02T12:30:00+00:00,0.000001,0,1000000
""".encode()


@pytest.fixture(autouse=True)
def _book_as_shipped(db: None) -> Iterator[None]:
    yield
    Price.objects.all().delete()
    prices.load()


def rates(*texts: str) -> tuple[Decimal, Decimal, Decimal]:
    one, two, three = (Decimal(text) for text in texts)
    return one, two, three


def make_price(project: Project, model: str, at: datetime) -> None:
    set_price(
        project, provider="openai", model=model, valid_from=at, rates=rates("1", "0", "2"), by=None
    )


def test_what_is_exported_is_imported_as_it_was(cast: Cast) -> None:
    count = import_prices(cast.project, FILE, by=cast.alice)
    out = to_csv(Price.objects.filter(project=cast.project).by_model())
    import_prices(cast.other_project, out.encode(), by=None)

    again = to_csv(Price.objects.filter(project=cast.other_project).by_model())
    assert count == 2
    assert again == out
    assert out.replace("\r\n", "\n").encode() == FILE


def test_an_import_replaces_the_price_of_the_same_day_and_asks_for_costs_once(cast: Cast) -> None:
    import_prices(cast.project, FILE, by=None)
    Job.objects.filter(project=cast.project).delete()

    import_prices(cast.project, FILE.replace(b"2.5,", b"3.5,"), by=None)

    price = Price.objects.get(project=cast.project, provider="openai")
    (job,) = Job.objects.filter(project=cast.project)
    assert price.input == Decimal("3.5")
    assert job.payload["since"] == JUNE.isoformat()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "lacks provider"),
        (b"provider,model\nopenai,x\n", "lacks valid_from, input, cached, output"),
        (b"\xff\xfe\x00", "no CSV in UTF-8"),
        (f"{HEAD}openai,x,June,1,1,1\n".encode(), "Line 2: Valid from"),
        (f"{HEAD}openai,x,2026-06-01,1,-1,1\n".encode(), "Line 2: cached"),
        (f"{HEAD}openai,,2026-06-01,1,1,1\n".encode(), "Line 2: model"),
        (f"{HEAD}openai,x,2026-06-01,NaN,1,1\n".encode(), "Line 2: input"),
        (f"{HEAD}openai\n".encode(), "Line 2: "),
        (HEAD.encode() + b"openai,x,2026-02-30,1,1,1\n" * 9, "And 4 more"),
    ],
)
def test_a_file_that_will_not_do_changes_nothing(cast: Cast, content: bytes, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        import_prices(cast.project, content + b"", by=None)

    assert not Price.objects.filter(project=cast.project).exists()


def test_one_bad_line_keeps_the_good_ones_out(cast: Cast) -> None:
    with pytest.raises(InvalidInput, match=r"Nothing was imported\. Line 4: "):
        import_prices(cast.project, FILE + b"openai,x,2026-06-01,a,b,c\n", by=None)

    assert not Price.objects.filter(project=cast.project).exists()


def test_a_spreadsheet_s_byte_order_mark_is_no_mistake() -> None:
    assert len(from_csv(b"\xef\xbb\xbf" + FILE)) == 2


def test_the_page_takes_a_file_in_and_gives_it_out(cast: Cast, alice: Client) -> None:
    base = f"/p/{cast.project.slug}/settings/prices/"

    sent = alice.post(f"{base}import/", {"file": SimpleUploadedFile("p.csv", FILE)})
    bad = alice.post(
        f"{base}import/",
        {"file": SimpleUploadedFile("p.csv", b"x")},
        headers={"HX-Request": "true"},
    )
    out = alice.get(f"{base}prices.csv")

    assert sent.status_code == 302
    assert (bad.status_code, "lacks provider" in bad.headers["HX-Trigger"]) == (204, True)
    assert out.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in out.headers["Content-Disposition"]
    assert b"mine, the large" in out.content


def test_the_file_holds_the_project_s_own_prices_only(cast: Cast, alice: Client) -> None:
    import_prices(cast.other_project, FILE, by=None)

    out = alice.get(f"/p/{cast.project.slug}/settings/prices/prices.csv")

    assert out.content.decode().strip() == HEAD.strip()


def test_an_editor_imports_nothing_and_a_viewer_reads(cast: Cast) -> None:
    bob, victor = Client(), Client()
    bob.force_login(cast.bob)
    victor.force_login(cast.victor)
    base = f"/p/{cast.project.slug}/settings/prices/"

    refused = bob.post(f"{base}import/", {"file": SimpleUploadedFile("p.csv", FILE)})

    assert refused.status_code == 403
    assert victor.get(f"{base}prices.csv").status_code == 200


def test_the_page_tells_the_price_that_counts_from_earlier_and_later_ones(
    cast: Cast, alice: Client
) -> None:
    for at in (JUNE, JUNE + timedelta(days=30), timezone.now() + timedelta(days=30)):
        make_price(cast.project, "mine", at)

    page = alice.get(f"/p/{cast.project.slug}/settings/prices/").content.decode()

    assert (page.count("Counts now"), page.count("Later"), page.count("earlier")) == (1, 1, 1)


def test_a_model_that_is_not_priced_leads_to_a_form_with_its_name(
    cast: Cast, alice: Client
) -> None:
    asked = {"provider": "acme", "model": "<i>new</i>"}

    page = alice.get(f"/p/{cast.project.slug}/settings/prices/", asked).content.decode()

    assert 'value="&lt;i&gt;new&lt;/i&gt;"' in page
    assert "Set its price" in page
