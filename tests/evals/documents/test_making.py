"""Documents become pairs, pairs become examples: with a real server that answers by a script."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

import evals.pipelines.tasks  # noqa: F401 - says how a run is done
from evals.documents.actions import change_cutting
from evals.documents.chunks import Cutting
from evals.documents.making import deciding
from evals.documents.making.gathering import gather
from evals.documents.making.reading import standing_of
from evals.documents.making.starting import Asking, NothingToAsk, priced, start_pairs, tried
from evals.documents.models import DocumentSet, Making, Pair
from evals.judges.presets import FAITHFULNESS
from evals.pipelines.models import Row
from requests_log.datasets.actions import create_dataset, freeze_version
from requests_log.datasets.models import Example
from tests.conftest import Cast
from tests.curate.test_log_pages import text_of
from tests.evals.answering import Provider
from tests.evals.documents.factories import make_documents
from tests.evals.factories import NOON, make_connection
from tests.evals.judges.factories import make_judge, said
from tests.loading.documents import pdf_document, word_document
from tests.prompts.factories import make_prompt
from workbench.core.errors import InvalidInput
from workbench.core.queue import perform

TOPICS = [
    "parcels",
    "letters",
    "refunds",
    "opening hours",
    "gift cards",
    "returns",
    "lost items",
    "deposits",
    "repairs",
    "invoices",
    "holidays",
]
NOTES = "\n\n".join(
    f"## About {topic}\n\nThe rule for {topic} number {n} is kept by desk {n}. "
    f"It was written in the year {1990 + n}. " + f"Desk {n} answers for {topic}. " * 12
    for n, topic in enumerate(TOPICS)
)
WORD = word_document(
    ("Heading1", "Garden"), ("", "Roses are cut in March at the south wall. " * 12)
)
PDF = pdf_document("Boats", "The ferry leaves at nine from the old pier.", "It takes cars, too.")


def write_pairs(asked: str) -> str:
    """Three pairs about the chunk; the third one is made up."""
    chunk = re.search(r'"""\n(.*?)\n"""', asked, re.DOTALL)
    assert chunk is not None
    said = " ".join(chunk[1].replace("#", "").split())
    about = said[:60]
    return (
        f"Here you are:\n\n**Q1:** What is told first of “{about}”?\n**A1:** {said[:120]}\n\n"
        f"**Q2:** How does the part on “{about}” end?\n**A2:** It ends so: {said[-110:]}\n\n"
        f"**Q3:** Who built the moon base of “{about}”?\n**A3:** Astronauts named {about} did.\n\n"
        "**Q4:** And what has no answer?"
    )


def judge(asked: str) -> str:
    supported = "moon base" not in asked
    verdict = json.dumps({"reason": "As it says.", "supported": supported})
    return f"Let me see.\n```json\n{verdict}\n```"


@pytest.fixture
def models(provider: Provider, cast: Cast) -> Provider:
    make_connection(cast.project, provider.url)
    provider.rules |= {"teacher": write_pairs, "judge": judge, "mumbler": lambda _: "Hm, perhaps."}
    return provider


@pytest.fixture
def documents(cast: Cast) -> DocumentSet:
    found = make_documents(
        cast.project, ("notes.md", NOTES.encode()), ("boats.pdf", PDF), ("garden.docx", WORD)
    )
    return change_cutting(found, cutting=Cutting(100, 150, 20))


ASKING = Asking("local/teacher", "local/judge", count=3)


def made(found: DocumentSet, asking: Asking = ASKING, **more: Any) -> Making:
    making = start_pairs(found, asking=asking, by=None, **more)
    assert making.run.job is not None
    perform(making.run.job.pk, holder="test")
    return Making.objects.select_related(
        "run__pipeline__project", "run__definition", "collection"
    ).get(pk=making.pk)


def test_documents_of_three_kinds_become_a_frozen_version(
    documents: DocumentSet, models: Provider, cast: Cast
) -> None:
    making = made(documents)
    dataset = create_dataset(cast.project, name="Notes", by=None)

    taken = deciding.add_to_dataset(making, dataset=dataset)
    version = freeze_version(dataset, by=None, at=NOON, split=(80, 20))

    assert making.run.state == "done", making.run.note
    assert set(making.pairs.values_list("document", flat=True)) == {
        "notes.md",
        "boats.pdf",
        "garden.docx",
    }
    assert taken.added >= 20
    assert version.row_count == taken.added
    assert set(Example.objects.in_dataset(dataset).values_list("provenance", flat=True)) == {
        "teacher"
    }
    first = making.pairs.kept().in_order().select_related("example__content").first()
    assert first is not None
    assert first.example is not None
    assert first.example.content.body["messages"][0]["content"] == first.question
    assert (
        documents.documents.get(name=first.document).text[first.start : first.end].strip()
        == first.chunk
    )
    again = deciding.add_to_dataset(making, dataset=dataset)
    assert (again.added, again.duplicates) == (0, taken.added)


def test_unsupported_pairs_are_dropped_and_halves_are_counted(
    documents: DocumentSet, models: Provider
) -> None:
    making = made(documents)
    standing = standing_of(making)
    chunks = Row.objects.of_run(making.run).filter(parent=None).count()

    assert standing.counts["all"] == 3 * chunks
    assert standing.counts["unsupported"] == chunks
    assert not making.pairs.kept().filter(question__contains="moon base").exists()
    assert making.lost == {"The question has no answer.": chunks}
    assert standing.counts["kept"] + standing.counts["dropped"] == standing.counts["all"]


def test_a_verdict_that_cannot_be_read_counts_as_none(
    documents: DocumentSet, models: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.pipelines.calling.TRIES", 1)
    making = made(documents, Asking("local/teacher", "local/mumbler", count=3))

    pair = making.pairs.in_order().first()
    assert pair is not None
    assert set(making.pairs.values_list("verdict", flat=True)) == {"unjudged"}
    assert not making.pairs.kept().exists()
    assert "no verdict" in pair.reason or "not" in pair.reason
    with pytest.raises(deciding.NothingKept):
        deciding.add_to_dataset(
            making, dataset=create_dataset(documents.project, name="N", by=None)
        )
    assert "Some pairs are not judged." in [one.heading for one in standing_of(making).findings]


def test_a_pair_told_twice_is_kept_once(documents: DocumentSet, models: Provider) -> None:
    models.rules["teacher"] = lambda _: (
        "Q1: What is the rule for parcels?\nA1: It is kept by desk 0."
    )

    making = made(documents)

    assert making.pairs.kept().count() == 1
    assert making.pairs.exclude(repeats=None).count() == making.pairs.count() - 1


def test_what_a_person_decides_outlives_gathering_again(
    documents: DocumentSet, models: Provider, cast: Cast
) -> None:
    making = made(documents)
    kept, moon = making.pairs.kept().in_order()[0], making.pairs.filter(verdict="unsupported")[0]

    deciding.decide(kept, decision="drop", by=cast.bob, at=NOON)
    deciding.change(moon, question="Who?", answer="Nobody.", by=cast.bob, at=NOON)
    many = making.pairs.count()
    gather(making)

    assert making.pairs.count() == many
    assert not making.pairs.kept().filter(pk=kept.pk).exists()
    changed = making.pairs.get(pk=moon.pk)
    assert (changed.question, changed.is_kept) == ("Who?", True)
    assert (changed.verdict, changed.reason) == ("edited", "")
    assert "moon base" in changed.first_question
    with pytest.raises(InvalidInput, match="needs a question and an answer"):
        deciding.change(moon, question=" ", answer="x", by=cast.bob, at=NOON)


def test_long_sections_are_split_at_the_lines_the_teacher_names(
    cast: Cast, models: Provider
) -> None:
    text = "\n".join(
        f"Line {n} tells of {'cats' if n < 9 else 'dogs'} and their day." for n in range(18)
    )
    found = change_cutting(
        make_documents(cast.project, ("a.txt", text.encode())), cutting=Cutting(100, 400, 0)
    )
    models.rules["teacher"] = lambda asked: (
        "[1, 10]" if "Aim at parts" in asked else write_pairs(asked)
    )

    making = made(found, Asking("local/teacher", by_topic=True, count=3))

    chunks = set(making.pairs.values_list("start", "end", "chunk"))
    assert len(chunks) == 2
    assert all(text[start:end].strip() == chunk for start, end, chunk in chunks)
    assert set(making.pairs.values_list("verdict", flat=True)) == {"unchecked"}


def test_the_price_counts_every_pair_for_the_judge(
    documents: DocumentSet, models: Provider
) -> None:
    told = priced(documents, ASKING)

    writing, judging = told.steps
    assert writing.calls == told.rows
    assert judging.calls == 3 * told.rows


def test_a_judge_of_the_project_checks_pairs_by_its_own_rubric(
    documents: DocumentSet, models: Provider, cast: Cast
) -> None:
    version = make_judge(
        cast.project, "faithful", ref="local/strict", settings=FAITHFULNESS.settings
    )
    models.rules["strict"] = lambda asked: said("1" if "moon base" in asked else "5", "Because.")
    asking = Asking("local/teacher", count=3, judge_version=str(version.pk))

    making = made(documents, asking)
    moon = making.pairs.filter(verdict="unsupported").in_order()[0]
    told = priced(documents, asking)

    assert making.judge == "faithful v1 (local/strict)"
    assert making.pairs.filter(verdict="unsupported").count() == told.rows
    assert ("moon base" in moon.question, moon.reason) == (True, "1: Because.")
    assert told.cells_reused > 0
    assert (told.cells_asked, told.steps[1].calls) == (0, 0)  # the same is asked by the same words
    with pytest.raises(InvalidInput, match="no such judge"):
        start_pairs(documents, asking=Asking("local/teacher", judge_version="x"), by=None)


def test_a_prompt_of_the_registry_asks_for_pairs(
    documents: DocumentSet, models: Provider, cast: Cast
) -> None:
    body = [
        {"role": "system", "content": "Be exact."},
        {"role": "user", "content": 'Pairs of:\n"""\n{{chunk}}\n"""'},
    ]
    make_prompt(cast.project, "notes/pairs", body)
    make_prompt(cast.project, "notes/blind", "Ask {{something}}")
    models.bodies.clear()

    making = made(documents, Asking("local/teacher", prompt="notes/pairs", count=3))

    assert making.settings["prompt"] == "notes/pairs:1"
    asked = models.bodies[0]["messages"]
    assert asked[0]["content"] == "Be exact."
    assert asked[1]["content"].startswith("Pairs of:")
    with pytest.raises(InvalidInput, match=r"asks for \{\{something\}\}"):
        start_pairs(documents, asking=Asking("local/teacher", prompt="notes/blind"), by=None)


def test_the_price_of_a_split_by_topic_counts_the_chunks_that_come_of_it(
    cast: Cast, models: Provider
) -> None:
    text = "\n\n".join(f"Line {n} tells of dogs and of their day. " * 6 for n in range(12))
    found = change_cutting(
        make_documents(cast.project, ("a.txt", text.encode())), cutting=Cutting(100, 150, 0)
    )

    plain = priced(found, Asking("local/teacher", "local/judge", count=3))
    split = priced(found, Asking("local/teacher", "local/judge", count=3, by_topic=True))

    writing, judging = plain.steps
    sections, parts, pairs = split.steps
    assert (sections.calls, judging.calls) == (split.rows, 3 * writing.calls)
    assert abs(parts.calls - writing.calls) <= split.rows
    assert pairs.calls == 3 * parts.calls


def test_what_makes_no_sense_is_refused(
    documents: DocumentSet, models: Provider, cast: Cast
) -> None:
    for asking, sentence in (
        (Asking(""), "Choose the teacher"),
        (Asking("local/teacher", count=99), "1 to 20"),
        (Asking("local/teacher", user="no text"), "must hold"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            start_pairs(documents, asking=asking, by=None)
    with pytest.raises(InvalidInput, match="budget"):
        start_pairs(documents, asking=ASKING, by=None, budget=Decimal(-1))
    with pytest.raises(NothingToAsk):
        start_pairs(make_documents(cast.project, ("a.exe", b"")), asking=ASKING, by=None)


def test_one_chunk_is_tried_before_the_run(documents: DocumentSet, models: Provider) -> None:
    found = tried(documents, ASKING, number=2)

    assert len(found["pairs"]) == 3
    assert [one["reason"] for one in found["dropped"]] == ["The question has no answer."]
    assert found["chunk"].text in found["messages"][-1]["content"]


def test_the_pages_lead_from_documents_to_a_dataset(
    documents: DocumentSet, models: Provider, cast: Cast, alice: Client
) -> None:
    base = f"/p/{cast.project.slug}/evals/documents/{documents.pk}/"
    form = alice.get(f"{base}ask/").context["form"]
    asked = {"teacher": "local/teacher", "judge": "local/judge", "count": "3", "number": "1",
             "system": form["system"].value(), "user": form["user"].value()}  # fmt: skip

    price = text_of(alice.post(f"{base}ask/price/", asked))
    tried_page = text_of(alice.post(f"{base}ask/", asked | {"try": "1"}))
    wrong = alice.post(f"{base}ask/", asked | {"user": "{{nothing}}"})
    address = alice.post(f"{base}ask/", asked).headers["Location"]
    working = text_of(alice.get(address))
    making = Making.objects.select_related("run__job").get()
    assert making.run.job is not None
    perform(making.run.job.pk, holder="test")
    page = text_of(alice.get(address))
    pair = making.pairs.kept().in_order()[0]
    row = alice.post(
        f"{address}{pair.number}/decide/", {"decision": "drop"}, headers={"HX-Request": "true"}
    )
    edit = alice.post(
        f"{address}{pair.number}/edit/", {"question": "Why?", "answer": "So."}, follow=True
    )
    done = alice.post(f"{address}add/", {"name": "From notes"}, follow=True)

    assert "At most" in price
    assert "What is told first" in tried_page
    assert wrong.status_code == 422
    assert "Asking the teacher" in working
    assert "Too few pairs." in page
    assert "Keep" in text_of(row)
    assert "Why?" in text_of(edit)
    assert "examples were added to From notes" in text_of(done)
    assert "Why?" in text_of(alice.get(f"{address}?show=kept"))
    assert Pair.objects.get(pk=pair.pk).example is not None


def test_pairs_are_made_by_api(documents: DocumentSet, models: Provider, api: Client) -> None:
    address = f"/api/v1/documents/{documents.pk}/pairs"
    asked = {"teacher": "local/teacher", "judge": "local/judge", "count": 3}

    told = api.post(f"{address}/estimate", asked, content_type="application/json").json()
    sent = api.post(address, asked, content_type="application/json")
    making = Making.objects.select_related("run__job").get()
    assert making.run.job is not None
    perform(making.run.job.pk, holder="test")
    found = api.get(f"{address}/{making.pk}").json()
    added = api.post(
        f"{address}/{making.pk}/add", {"name": "By API"}, content_type="application/json"
    )

    assert told["rows"] > 5
    assert sent.status_code == 201
    assert found["state"] == "done"
    assert found["counts"]["kept"] == added.json()["added"]
    assert found["pairs"][0]["verdict"] == "supported"
    assert found["findings"][0]["heading"] == "Too few pairs."
