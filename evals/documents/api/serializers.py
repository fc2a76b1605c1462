"""What the API of documents takes and answers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from evals.documents.models import DocumentSet

Shape = serializers.Serializer[Any]


class DocumentOut(Shape):
    """A file. `state` is waiting, done or failed; `error` says why it could not be read."""

    name = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes of the file as it was sent.")
    state = serializers.CharField()
    characters = serializers.IntegerField()
    pages = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()


class DocumentSetOut(Shape):
    """Documents sent together. `target`, `most` and `overlap` say how they are cut, in tokens."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    is_reading = serializers.BooleanField()
    target = serializers.IntegerField()
    most = serializers.IntegerField()
    overlap = serializers.IntegerField()
    documents = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_documents(self, found: DocumentSet) -> list[dict[str, Any]]:
        rows = found.documents.defer("text").order_by("position")
        return [dict(DocumentOut(one).data) for one in rows]


class DocumentSetPageOut(Shape):
    sets = DocumentSetOut(many=True)
    next = serializers.UUIDField(allow_null=True)


class DocumentsIn(Shape):
    files = serializers.ListField(child=serializers.FileField())
    name = serializers.CharField(required=False)


class CuttingIn(Shape):
    """How the documents are cut; what is left out stays as it is."""

    target = serializers.IntegerField(required=False, help_text="Tokens a chunk is filled up to.")
    most = serializers.IntegerField(
        required=False, help_text="Tokens of what should stay whole: a list, a table, code."
    )
    overlap = serializers.IntegerField(
        required=False, help_text="Tokens of the text before that are shown with a chunk."
    )


class ChunkOut(Shape):
    """A stretch of a document: characters from `start` up to `end` of its text."""

    number = serializers.IntegerField()
    document = serializers.CharField()
    title = serializers.CharField(help_text="The headings it stands below.")
    page = serializers.IntegerField(allow_null=True)
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    text = serializers.CharField()
    before = serializers.CharField(help_text="The last sentences in front of it.")
    tokens = serializers.IntegerField(help_text="About.")


class ChunksOut(Shape):
    """The first chunks; `count` is about how many there are, exactly if `is_whole`."""

    chunks = ChunkOut(many=True)
    count = serializers.IntegerField()
    is_whole = serializers.BooleanField()


class AskingIn(Shape):
    """Who writes pairs about each chunk, who judges them, and what is asked.

    `judge` is a model that is asked our question, `judge_version` a judge of the project; without
    either nothing is checked. `user` holds {{chunk}}, or `prompt` names one of the registry; left
    out, the prompt is ours.
    """

    teacher = serializers.CharField(max_length=300)
    judge = serializers.CharField(max_length=300, required=False, allow_blank=True)
    judge_version = serializers.UUIDField(required=False, help_text="Of GET /api/v1/judges.")
    prompt = serializers.CharField(max_length=300, required=False, allow_blank=True)
    count = serializers.IntegerField(required=False, help_text="Pairs per chunk, 1 to 20.")
    system = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    user = serializers.CharField(required=False, trim_whitespace=False)
    by_topic = serializers.BooleanField(
        required=False, help_text="Let the teacher split long sections by topic first."
    )
    budget = serializers.DecimalField(
        max_digits=14, decimal_places=6, required=False, help_text="Dollars; it stops before."
    )


class PairsStepPriceOut(Shape):
    name = serializers.CharField()
    calls = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost = serializers.DecimalField(max_digits=14, decimal_places=6, allow_null=True)
    problem = serializers.CharField()


class PairsPriceOut(Shape):
    """What it will cost at most, in dollars; `unpriced` says whose price nobody knows."""

    rows = serializers.IntegerField()
    cost = serializers.DecimalField(max_digits=14, decimal_places=6)
    steps = PairsStepPriceOut(many=True)
    unpriced = serializers.ListField(child=serializers.CharField())


class PairOut(Shape):
    """A pair, where its chunk stands, and what was judged and decided."""

    number = serializers.IntegerField()
    document = serializers.CharField()
    heading = serializers.CharField()
    page = serializers.IntegerField(allow_null=True)
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    question = serializers.CharField()
    answer = serializers.CharField()
    verdict = serializers.CharField()
    reason = serializers.CharField()
    repeats = serializers.IntegerField(
        allow_null=True, help_text="The number of an earlier pair that says the same."
    )
    decision = serializers.CharField()
    is_kept = serializers.BooleanField()
    example = serializers.UUIDField(source="example_id", allow_null=True)


class PairFindingOut(Shape):
    tone = serializers.CharField()
    heading = serializers.CharField()
    sentence = serializers.CharField()


class MakingOut(Shape):
    """Pairs being made; `counts` by verdict, `lost` counts what was no pair by reason."""

    id = serializers.UUIDField()
    state = serializers.CharField()
    note = serializers.CharField()
    teacher = serializers.CharField()
    judge = serializers.CharField()
    spent = serializers.DecimalField(
        max_digits=14, decimal_places=8, allow_null=True, help_text="Dollars; null if nobody knows."
    )
    counts = serializers.DictField(child=serializers.IntegerField())
    lost = serializers.DictField(child=serializers.IntegerField())
    findings = PairFindingOut(many=True)
    pairs = PairOut(many=True)


class DecisionIn(Shape):
    """What is left out stays as it is."""

    decision = serializers.ChoiceField(["", "keep", "drop"], required=False)
    question = serializers.CharField(required=False)
    answer = serializers.CharField(required=False)


class AddIn(Shape):
    """A dataset of the project, or the name of a new one."""

    dataset = serializers.CharField(required=False)
    name = serializers.CharField(required=False)


class PairsAddedOut(Shape):
    dataset = serializers.CharField()
    added = serializers.IntegerField()
    duplicates = serializers.IntegerField()
