"""The query language as text and tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requests_log.search import Operand, Query, Term, Text, parse

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
signs = st.text('()*,.:<=>"\\-OR a1', max_size=8)
values = words | signs
single = st.builds(Operand, values, st.sampled_from(["", "*", ">", ">=", "<", "<="]))
ranges = st.builds(Operand, values, st.just(".."), values).filter(
    lambda operand: operand.value + operand.high
)
lists = st.lists(single | ranges, min_size=1, max_size=4, unique=True).map(tuple)
fields = st.sampled_from(["model", "tokens", "nonsense", "since"])
field_terms = st.builds(Term, fields, lists, st.just(""), st.booleans())
keyed_terms = st.builds(Term, st.sampled_from(["tag", "score"]), lists, names, st.booleans())
texts = st.builds(Text, values, st.booleans())
queries = st.lists(keyed_terms | field_terms | texts, max_size=8, unique=True).map(
    lambda terms: Query(tuple(terms))
)


@given(queries)
def test_a_query_written_as_text_reads_as_the_same_query(query: Query) -> None:
    assert parse(query.to_text()) == query
    assert parse(query.to_text()).problems == ()


@given(st.text(max_size=60) | st.text('model:tag.x ()*,.<=>"\\-OR 01', max_size=60))
def test_any_text_can_be_read_and_read_again(text: str) -> None:
    query = parse(text)

    assert parse(query.to_text()) == query
    for problem in query.problems:
        assert 0 <= problem.span.start < problem.span.end <= len(text)


def test_every_kind_of_term_is_read() -> None:
    text = 'model:gpt-4* -status:error tag.route:checkout tokens:>=100 "two words" -word Prompt:a@3'

    assert parse(text).terms == (
        Term.of("model", "gpt-4", "*"),
        Term.of("status", "error", negated=True),
        Term.of("tag", "checkout", key="route"),
        Term.of("tokens", "100", ">="),
        Text("two words"),
        Text("word", negated=True),
        Term.of("prompt", "a@3"),
    )


@pytest.mark.parametrize(
    ("text", "operands"),
    [
        ("model:a,b", [Operand("a"), Operand("b")]),
        ("model:(a OR b)", [Operand("a"), Operand("b")]),
        ("model:( a or b, c* )", [Operand("a"), Operand("b"), Operand("c", "*")]),
        ('model:"a,b","c d"*', [Operand("a,b"), Operand("c d", "*")]),
        ("model:a,a", [Operand("a")]),
        ("cost:0.01..0.5", [Operand("0.01", "..", "0.5")]),
        ("cost:..0.5,>2", [Operand("", "..", "0.5"), Operand("2", ">")]),
        ("cost:(1.. OR <0.1)", [Operand("1", ".."), Operand("0.1", "<")]),
        ('release:"1..2"', [Operand("1..2")]),
    ],
)
def test_lists_and_ranges_are_read(text: str, operands: list[Operand]) -> None:
    (term,) = parse(text).terms

    assert isinstance(term, Term)
    assert list(term.operands) == operands


def test_a_list_is_written_with_commas() -> None:
    assert parse("-model:( a OR 'b' )").to_text() == "-model:a,'b'"


def test_each_value_knows_its_place() -> None:
    (term,) = parse("model:(a OR bcd)").terms

    assert isinstance(term, Term)
    assert [(one.span.start, one.span.end) for one in term.operands] == [(7, 8), (12, 15)]


def test_a_quoted_asterisk_is_an_asterisk() -> None:
    assert parse('model:"a*"').terms == (Term.of("model", "a*"),)


def test_quotes_and_backslashes_are_protected_by_a_backslash() -> None:
    assert parse(r'"say \"hi\" \\ there"').terms == (Text('say "hi" \\ there'),)


def test_a_time_of_day_is_text() -> None:
    assert parse("12:30").terms == (Text("12:30"),)


@pytest.mark.parametrize(
    ("text", "start", "end", "sentence"),
    [
        ('model:x "unclosed words', 8, 23, "Close the quote"),
        ("model: x", 0, 6, "Write a value behind “model:”"),
        ("tokens:> x", 0, 8, "Write a value"),
        ("a - b", 2, 3, "Write what to leave out"),
        ('tag.a:"x', 0, 8, "Close the quote"),
        ("model:a,", 0, 8, "Write a value behind “model:a,”"),
        ("model:(a b) c", 0, 11, "Write OR or a comma"),
        ("model:(a OR b", 0, 13, "a ) behind the last"),
        ("cost:..", 0, 7, "where the range begins or ends"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(
    text: str, start: int, end: int, sentence: str
) -> None:
    (problem,) = parse(text).problems

    assert (problem.span.start, problem.span.end) == (start, end)
    assert sentence in problem.sentence


def test_the_same_term_twice_counts_once() -> None:
    assert parse("model:a model:a").to_text() == "model:a"


def test_long_queries_are_refused_with_a_sentence() -> None:
    assert "Shorten" in parse("x" * 5000).problems[0].sentence
    assert "Leave some out" in parse(" ".join(map(str, range(100)))).problems[0].sentence
    assert "200 values" in parse("id:" + ",".join(map(str, range(300)))).problems[0].sentence


def test_values_are_put_in_and_taken_out() -> None:
    query = parse("model:a refund")

    grown = query.with_value("tag", "x y", "route").with_value("model", "b")

    assert grown.to_text() == 'model:a,b refund tag.route:"x y"'
    assert grown.without_value("model", "a").to_text() == 'model:b refund tag.route:"x y"'
    assert grown.without_field("model").to_text() == 'refund tag.route:"x y"'
    assert grown.with_value("model", "a", negated=True).to_text() == (
        'model:b refund tag.route:"x y" -model:a'
    )


@given(queries, names)
def test_a_value_put_in_is_there_and_one_taken_out_is_gone(query: Query, value: str) -> None:
    grown = query.with_value("model", value)

    assert value in parse(grown.to_text()).values("model")
    assert value not in grown.without_value("model", value).values("model")
