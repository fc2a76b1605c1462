"""The shapes of the requests API."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from rest_framework import serializers

from requests_log.bodies import Bodies
from requests_log.models import Operation, Status

Shape = serializers.Serializer[Any]


class RequestOut(Shape):
    """One logged request in a list. What is derived is null until its digest is made."""

    id = serializers.UUIDField()
    started_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    duration_ms = serializers.FloatField(allow_null=True)
    ttft_ms = serializers.FloatField(allow_null=True)
    provider = serializers.CharField(allow_null=True)
    operation = serializers.ChoiceField(Operation.choices)
    model = serializers.CharField(allow_null=True, help_text="The model that was asked for.")
    model_used = serializers.CharField(allow_null=True, help_text="The model that answered.")
    status = serializers.ChoiceField(Status.choices)
    http_status = serializers.IntegerField(allow_null=True)
    error_type = serializers.CharField(allow_null=True)
    error_message = serializers.CharField(allow_null=True)
    prompt_name = serializers.CharField(allow_null=True)
    prompt_version = serializers.IntegerField(allow_null=True)
    tags = serializers.DictField(child=serializers.CharField())
    user = serializers.CharField(source="end_user", allow_null=True)
    session = serializers.CharField(allow_null=True)
    trace_id = serializers.CharField(allow_null=True)
    span_id = serializers.CharField(allow_null=True)
    parent_id = serializers.CharField(allow_null=True)
    environment = serializers.CharField(allow_null=True)
    release = serializers.CharField(allow_null=True)
    source = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    altered = serializers.ListField(
        child=serializers.CharField(),
        help_text="Text fields in which something was replaced by U+FFFD, or which were cut.",
    )
    redaction = serializers.IntegerField(
        help_text="The version of the policy that redacted it; 0 when none did."
    )
    request_size = serializers.IntegerField(help_text="Bytes.")
    response_size = serializers.IntegerField(allow_null=True, help_text="Bytes.")
    digested_at = serializers.DateTimeField(allow_null=True)
    input_preview = serializers.CharField(allow_null=True)
    output_preview = serializers.CharField(allow_null=True)
    finish_reason = serializers.CharField(allow_null=True)
    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField(allow_null=True)
    cached_tokens = serializers.IntegerField(allow_null=True)
    reasoning_tokens = serializers.IntegerField(allow_null=True)
    cost = serializers.DecimalField(18, 10, allow_null=True, help_text="Dollars at list prices.")


class TextIndexOut(Shape):
    """How far the text index is behind: requests that text searches do not find yet."""

    calls = serializers.IntegerField(help_text="Counted up to 10,000.")
    seconds = serializers.FloatField(help_text="For how long the oldest of them has waited.")
    failed = serializers.IntegerField(help_text="Requests that could not be read, up to 10,000.")


class RequestPageOut(Shape):
    """A page of requests, newest first; give `next` as `before` for the following one."""

    requests = RequestOut(many=True)
    next = serializers.UUIDField(allow_null=True)
    text_index = TextIndexOut()


class RawOut(Shape):
    """The exact bytes of a body: as text when they are UTF-8, in base64 otherwise."""

    text = serializers.CharField(allow_null=True)
    base64 = serializers.CharField(allow_null=True)
    sha256 = serializers.CharField(help_text="Of the bytes, in hexadecimal.")


class RequestDetailOut(RequestOut):
    """One logged request whole."""

    messages = serializers.JSONField()
    tools = serializers.JSONField(allow_null=True)
    parameters = serializers.JSONField(allow_null=True)
    output = serializers.JSONField(allow_null=True)
    variables = serializers.JSONField(allow_null=True)


class RequestWholeOut(Shape):
    """One logged request with its raw bodies."""

    request = RequestDetailOut()
    raw_request = RawOut()
    raw_response = RawOut(allow_null=True)
    raw_variables = RawOut(allow_null=True)


def raw_document(raw: bytes | None) -> dict[str, str | None] | None:
    """Bytes as a JSON value from which exactly those bytes can be had again."""
    if raw is None:
        return None
    sha256 = hashlib.sha256(raw).hexdigest()
    try:
        return {"text": raw.decode(), "base64": None, "sha256": sha256}
    except UnicodeDecodeError:
        return {"text": None, "base64": base64.b64encode(raw).decode(), "sha256": sha256}


def raw_documents(kept: Bodies) -> dict[str, Any]:
    return {
        "raw_request": raw_document(kept.request),
        "raw_response": raw_document(kept.response),
        "raw_variables": raw_document(kept.variables),
    }
