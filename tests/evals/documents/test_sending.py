"""Documents are sent together; what cannot be read is told and holds up nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from evals.documents.actions import Sent, change_cutting, forget_documents, send_documents
from evals.documents.chunks import Cutting
from evals.documents.models import Document, DocumentSet
from tests.conftest import Cast
from tests.curate.test_log_pages import text_of
from tests.evals.documents.factories import HANDBOOK, make_documents
from tests.evals.factories import HOSTILE, NOON
from tests.loading.documents import pdf_document, word_document
from workbench.core.bodylimit import MOST_BYTES_OF_FILE, limit_of
from workbench.core.errors import InvalidInput

WORD = word_document(("Heading1", "Handbook"), ("", "We refund within two days."))
PDF = pdf_document("Handbook", "We refund within two days.")


def test_good_documents_are_read_beside_bad_ones(
    cast: Cast, settings: pytest.FixtureRequest
) -> None:
    found = make_documents(
        cast.project,
        ("a.md", HANDBOOK.encode()),
        ("locked.pdf", pdf_document("Secret", locked=True)),
        ("b.PDF", PDF),
        ("empty.txt", b""),
        ("c.docx", WORD),
        ("bomb.docx", word_document(("", "small"), padding=600)),
        ("notes.exe", b"MZ"),
        ("old.docx", bytes.fromhex("d0cf11e0a1b11ae1") + b"\x00" * 40),
        ("d.txt", "Grüezi".encode("latin-1")),
    )

    told = {one.name: (one.state, one.error) for one in found.documents.all()}
    assert [name for name, (state, _) in told.items() if state == "done"] == [
        "a.md",
        "b.PDF",
        "c.docx",
    ]
    for name, sentence in (
        ("locked.pdf", "protected by a password"),
        ("empty.txt", "The file is empty."),
        ("bomb.docx", "more than 512 MiB"),
        ("notes.exe", "Send .docx, .markdown, .md, .pdf, .txt."),
        ("old.docx", "Save it as .docx without a password"),
        ("d.txt", "not UTF-8"),
    ):
        assert sentence in told[name][1], name
    assert found.job is not None
    assert found.job.state == "succeeded"
    assert found.job.result == {"read": 3, "refused": 6}
    kept = Path(str(settings.ARTIFACTS_URL)) / "documents"  # type: ignore[attr-defined]
    assert not list(kept.iterdir())


def test_a_pdf_tells_its_pages_and_text_is_kept_as_it_is(cast: Cast) -> None:
    found = make_documents(
        cast.project, ("b.pdf", PDF), ("a.md", HANDBOOK.replace("\n", "\r\n").encode())
    )

    pdf, markdown = found.documents.order_by("position")
    assert pdf.pages == 1
    assert "We refund within two days." in pdf.text
    assert markdown.pages is None
    assert markdown.text == HANDBOOK


def test_reading_again_reads_only_what_is_not_read(cast: Cast) -> None:
    found = make_documents(cast.project, ("a.md", b"one"), ("b.md", b"two"))
    Document.objects.filter(collection=found, name="a.md").update(text="kept", characters=4)

    assert [one.text for one in found.documents.order_by("position")] == ["kept", "two"]
    assert not found.documents.unread().exists()


def test_nothing_and_too_much_are_refused(cast: Cast) -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        send_documents(cast.project, files=[], by=None, at=NOON)
    with pytest.raises(InvalidInput, match="at most 200"):
        send_documents(cast.project, files=[Sent("a.md", [])] * 201, by=None, at=NOON)


@pytest.mark.parametrize(
    ("cutting", "sentence"),
    [
        (Cutting(10, 800, 0), "50 to 4,000"),
        (Cutting(400, 300, 0), "at least as many"),
        (Cutting(400, 9_000, 0), "at most 8,000"),
        (Cutting(100, 800, 200), "no more than a chunk has"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(cast: Cast, cutting: Cutting, sentence: str) -> None:
    found = make_documents(cast.project)

    with pytest.raises(InvalidInput, match=sentence):
        change_cutting(found, cutting=cutting)


def test_forgotten_documents_are_gone(cast: Cast) -> None:
    forget_documents(make_documents(cast.project), at=NOON)

    assert not DocumentSet.objects.exists()
    assert not Document.objects.exists()


def files(*named: tuple[str, bytes]) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(name, content) for name, content in named]


def test_documents_are_sent_looked_at_and_cut_by_page(alice: Client, cast: Cast) -> None:
    base = f"/p/{cast.project.slug}/evals/documents/"
    sent = files(("a.md", b"# A\n\n" + b"Some words here. " * 200), ("b.exe", b"MZ"))

    address = alice.post(f"{base}send/", {"files": sent}).headers["Location"]
    waiting = text_of(alice.get(address))
    found = DocumentSet.objects.get()
    found = make_documents(
        cast.project, ("a.md", b"# A\n\n" + b"Some words here. " * 200), (HOSTILE + ".exe", b"")
    )
    address = f"{base}{found.pk}/"
    page = text_of(alice.get(address))
    alice.post(f"{address}cut/", {"target": "100", "most": "100", "overlap": "0"})
    finer = text_of(alice.get(address))
    refused = alice.post(
        f"{address}cut/", {"target": "x", "most": "1", "overlap": "0"}, follow=True
    )
    listed = text_of(alice.get(base))

    assert "Waiting for a worker" in waiting
    assert "Some words here." in page
    assert "<script>" not in alice.get(address).content.decode().replace("<script src", "")
    assert "1 read, 1 refused" in page
    assert finer.count("Some words here.") > page.count("Some words here.")
    assert "is a whole number of tokens" in text_of(refused)
    assert found.name[:20] in listed


def test_who_only_looks_sends_and_cuts_nothing(cast: Cast, client: Client) -> None:
    found = make_documents(cast.project)
    base = f"/p/{cast.project.slug}/evals/documents/"
    client.force_login(cast.victor)

    page = text_of(client.get(f"{base}{found.pk}/"))

    assert "We refund within two days." in page
    assert "Cut again" not in page
    assert "Read them" not in text_of(client.get(base))


def test_documents_are_sent_and_cut_by_api(api: Client, cast: Cast) -> None:
    made = api.post("/api/v1/documents", {"files": files(("a.md", HANDBOOK.encode()))}).json()
    found = make_documents(cast.project)
    address = f"/api/v1/documents/{found.pk}"

    changed = api.patch(
        address, {"target": 50, "most": 50, "overlap": 0}, content_type="application/json"
    )
    chunks = api.get(f"{address}/chunks").json()

    assert (made["name"], made["is_reading"]) == ("a.md", True)
    assert made["documents"][0]["state"] == "waiting"
    assert changed.json()["target"] == 50
    assert chunks["count"] == len(chunks["chunks"]) == 1
    assert chunks["chunks"][0]["title"] == "Handbook"
    assert "We refund within two days." in chunks["chunks"][0]["text"]
    assert len(api.get("/api/v1/documents").json()["sets"]) == 2
    assert api.post("/api/v1/documents", {}).status_code == 400
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404


def test_another_projects_documents_are_not_there(cast: Cast, api: Client, alice: Client) -> None:
    found = make_documents(cast.other_project)

    assert api.get(f"/api/v1/documents/{found.pk}").status_code == 404
    assert alice.get(f"/p/{cast.project.slug}/evals/documents/{found.pk}/").status_code == 404


def test_large_documents_may_be_sent() -> None:
    assert limit_of("/p/acme/evals/documents/send/") == MOST_BYTES_OF_FILE
    assert limit_of("/api/v1/documents") == MOST_BYTES_OF_FILE
