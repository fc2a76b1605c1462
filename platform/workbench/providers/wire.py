"""How an endpoint is addressed: the URL of a path, and the headers that carry its credential.

The gateway and our own jobs both ask here, so that a kind of provider is understood once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from workbench.providers.models import Connection

if TYPE_CHECKING:
    from workbench.providers.refs import Endpoint

ANTHROPIC_VERSION = "2023-06-01"
AZURE_VERSION = "2024-10-21"
"""Of Azure's API, for a connection that names none."""
CHAT_PATH = "/chat/completions"
MESSAGES_PATH = "/messages"
MODELS_PATH = "/models"


def url_of(endpoint: Endpoint, path: str) -> str:
    """Where a call goes; `path` is that below `/v1`, such as /chat/completions."""
    if endpoint.kind != Connection.Kind.AZURE:
        return endpoint.base_url + path
    deployment = quote(endpoint.model, safe="")
    return azure_url(endpoint.base_url, f"/deployments/{deployment}{path}", endpoint.api_version)


def azure_url(base_url: str, path: str, version: str) -> str:
    """A URL of Azure's API, which has its version in the query."""
    query = urlencode({"api-version": version or AZURE_VERSION})
    return f"{base_url}/openai{path}?{query}"


def credential_headers(kind: str, api_key: str, path: str) -> dict[str, str]:
    """What opens the door on this path; empty without a credential.

    Anthropic's own API knows `x-api-key`; what it has in OpenAI's shape, the usual way.
    """
    if not api_key:
        return {}
    if kind == Connection.Kind.AZURE:
        return {"api-key": api_key}
    if kind == Connection.Kind.ANTHROPIC and path in {MESSAGES_PATH, MODELS_PATH}:
        return {"x-api-key": api_key}
    return {"authorization": f"Bearer {api_key}"}
