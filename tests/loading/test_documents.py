"""Documents on their way into a dataset: cut along their structure by a program of its own."""

from __future__ import annotations

import psutil
import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from requests_log.datasets.imports import actions
from requests_log.datasets.imports.chunking import about_tokens, pieces
from requests_log.datasets.imports.models import DatasetImport
from requests_log.datasets.models import Dataset, Example
from requests_log.importers.keeping import ImportBusy
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset
from tests.curate.test_log_pages import text_of
from tests.factories import make_member, make_user
from tests.loading.conftest import Done
from tests.loading.documents import pdf_document, word_document
from workbench.core.errors import InvalidInput
from workbench.core.models import Role

pytestmark = pytest.mark.slow

LONG = " ".join(f"Sentence number {n} tells of parcels." for n in range(80))
HANDBOOK = f"""# Handbook

Welcome.

## Refunds

We refund within two days.

{LONG}

## Parcels

They travel at night.

```
# no heading

code
```

### Letters

By day.
"""


def titles(markdown: str, tokens: int) -> list[str]:
    return [piece.title for piece in pieces(markdown, tokens=tokens)]


def test_a_document_is_cut_along_its_headings() -> None:
    found = list(pieces(HANDBOOK, tokens=100))

    assert found[0].title == "Handbook"
    assert all(piece.tokens <= 100 for piece in found)
    whole = [piece for piece in found if "# no heading" in piece.text]
    assert "```\n# no heading\n\ncode\n```" in whole[0].text


def test_small_sections_below_one_parent_go_together() -> None:
    small = "# A\n\n## B\n\none\n\n## C\n\ntwo\n\n# D\n\nthree"

    assert titles(small, 100) == ["A", "D"]


def test_a_document_without_structure_is_cut_at_sentences() -> None:
    found = list(pieces(LONG, tokens=60))

    assert len(found) > 5
    assert all(piece.text.endswith(".") and piece.tokens <= 60 for piece in found)


@given(
    st.lists(st.sampled_from(["# A", "## B", "x y. ", "```", "", "word " * 300, "字" * 90, "#no"])),
    st.integers(50, 200),
)
def test_no_word_is_lost_and_no_piece_is_too_long(lines: list[str], tokens: int) -> None:
    text = "\n".join(lines)

    found = list(pieces(text, tokens=tokens))

    joined = "".join("".join(piece.text for piece in found).split())
    assert joined == "".join(text.split())
    assert all(about_tokens(piece.text) <= tokens for piece in found)


def sent(dataset: Dataset, content: bytes, name: str) -> DatasetImport:
    return actions.upload(dataset, chunks=[content], name=name, by=None, at=NOON)


WORD = word_document(("Heading1", "Handbook"), ("", "We refund within two days."))
PDF = pdf_document("Handbook", "We refund within two days.")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"# Handbook\n\nWe refund within two days.", "handbook.md"),
        (b"Handbook\n\nWe refund within two days.", "handbook.TXT"),
        (WORD, "handbook.docx"),
        (PDF, "handbook.pdf"),
    ],
)
def test_documents_of_every_kind_become_texts(
    dataset: Dataset, loaded: Done, taken_in: Done, content: bytes, name: str
) -> None:
    found = loaded(sent(dataset, content, name))

    assert found.state == "draft", found.error
    assert found.found["pieces"] == 1
    assert taken_in(found).added == 1
    example = Example.objects.in_dataset(dataset).select_related("content").get()
    assert "We refund within two days." in example.content.body["text"]


def test_a_document_is_cut_again_in_another_size(dataset: Dataset, loaded: Done) -> None:
    found = loaded(sent(dataset, HANDBOOK.encode(), "handbook.md"))

    finer = loaded(actions.load(found, by=None, tokens=60))

    assert finer.found["pieces"] > found.found["pieces"]
    assert finer.found["longest"] <= 60
    with pytest.raises(InvalidInput, match="50 to 8,000"):
        actions.load(finer, by=None, tokens=3)
    actions.start_import(finer, by=None)
    with pytest.raises(ImportBusy):
        actions.load(finer, by=None, tokens=100)


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        ("Grüezi".encode("latin-1"), "a.md", "not UTF-8"),
        (b"  \n", "a.txt", "holds no text"),
        (b"MZ no pdf", "a.pdf", "no PDF"),
        (b"%PDF-1.4 and then nothing", "a.pdf", "damaged"),
        (b"PK no zip", "a.docx", "no Word document"),
        (word_document(("", "small"), padding=600), "a.docx", "more than 512 MiB"),
    ],
)
def test_a_hostile_document_is_told_and_nothing_stays(
    dataset: Dataset, loaded: Done, content: bytes, name: str, sentence: str
) -> None:
    found = loaded(sent(dataset, content, name))

    assert found.state == "failed"
    assert sentence in found.error
    assert not programs()


def programs() -> list[psutil.Process]:
    """Programs that read documents, among our children."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "imports.programs" in " ".join(child.cmdline())]


def test_a_document_goes_in_by_api_and_page(alice: Client, api: Client, cast: Cast) -> None:
    make_dataset(cast.project)
    made = api.post(
        "/api/v1/datasets/answers/imports",
        HANDBOOK.encode(),
        content_type="application/octet-stream",
        query_params={"name": "handbook.md"},
    ).json()["imported"]
    address = f"/p/{cast.project.slug}/datasets/answers/imports/{made['id']}/"

    page = text_of(alice.get(address))
    refused = alice.post(f"{address}load/", {"tokens": "x"}, follow=True)

    assert made["state"] == "preparing"
    assert "Waiting for a worker" in page
    assert "is a whole number" in text_of(refused)


def test_the_pieces_are_shown_before_they_are_taken(
    dataset: Dataset, loaded: Done, client: Client
) -> None:
    found = loaded(sent(dataset, HANDBOOK.encode(), "handbook.md"))
    user = make_user(name="Alice")
    make_member(dataset.project, user, Role.EDITOR)
    client.force_login(user)

    page = text_of(client.get(f"/p/{dataset.project.slug}/datasets/answers/imports/{found.pk}/"))

    assert "Tokens, about" in page
    assert "We refund within two days." in page
    assert not Example.objects.in_dataset(dataset).exists()
    user.delete()
