"""Model refs: the text that names a model anywhere in the product, and what it stands for.

`connection/model` names a provider's model (the first part wins if it names a connection, so
`openrouter/meta/llama-3` works), `name@alias` and `name:3` a registered model, and anything else
is a model of the project's default connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from urllib.parse import urlsplit

from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project
from workbench.providers.actions import credential_of
from workbench.providers.models import Connection

LONGEST_REF = 300
ENGINE = "engine"
KNOWN_HOSTS = {"api.openai.com": "openai", "api.anthropic.com": "anthropic"}
_REGISTERED = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:@([A-Za-z0-9][A-Za-z0-9._-]*)|:(\d{1,9}))"
)


class UnknownModel(DomainError):
    """The ref names no model of the project."""

    code = "model_not_found"
    status = 404


class EngineStarting(DomainError):
    """The model is ours and its engine is coming up; ask again in a moment."""

    code = "model_starting"
    status = 503


@dataclass(frozen=True)
class ModelRef:
    """A ref taken apart; `name` with `alias` or `version` is set when it may be registered."""

    text: str
    name: str = ""
    alias: str = ""
    version: int | None = None

    @property
    def head(self) -> str:
        """What stands before the first slash; empty without one."""
        head, slash, _ = self.text.partition("/")
        return head if slash else ""

    @property
    def tail(self) -> str:
        """What stands after the first slash."""
        return self.text.partition("/")[2]


@dataclass(frozen=True)
class Endpoint:
    """Where calls for a ref go. `api_key` is plain text: keep it in memory, never in a log.

    `model` is the name the server at `base_url` knows. `kind` is a connection's kind or
    "engine" (our own process, whose address is trusted). The limits are for our own jobs; None
    is none. `batches` tells that it has OpenAI's Batch API.
    """

    base_url: str
    api_key: str = field(repr=False)
    model: str
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = Connection.Kind.OPENAI_COMPATIBLE.value
    label: str = ""
    private: bool = False
    retries: int = 0
    fallbacks: tuple[str, ...] = ()
    first_byte_seconds: int | None = None
    cache_seconds: int = 0
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    at_once: int | None = None
    api_version: str = ""
    batches: bool = False

    @property
    def is_engine(self) -> bool:
        return self.kind == ENGINE

    @property
    def is_anthropic(self) -> bool:
        return self.kind == Connection.Kind.ANTHROPIC

    @property
    def is_azure(self) -> bool:
        return self.kind == Connection.Kind.AZURE

    @cached_property
    def ref(self) -> str:
        """What names it without doubt: a version of ours, or connection/model."""
        return self.model if self.is_engine else f"{self.label}/{self.model}"

    @cached_property
    def provider(self) -> str:
        """Whose prices hold, as far as the address tells; else the connection's name."""
        if self.is_engine:
            return "stillhouse"
        return provider_of(self.kind, self.base_url, self.label)


def provider_of(kind: str, base_url: str, name: str) -> str:
    """What prices call the provider of a connection: its own name, unless it is well known."""
    is_anthropic = kind == Connection.Kind.ANTHROPIC
    return provider_at(base_url) or ("anthropic" if is_anthropic else name)


@lru_cache(maxsize=1024)
def provider_at(base_url: str) -> str:
    """The provider whose public address this is; empty for any other."""
    return KNOWN_HOSTS.get(urlsplit(base_url).hostname or "", "")


Resolver = Callable[[Project, ModelRef], Endpoint | None]
Catalog = Callable[[Project], Iterable[str]]
_resolvers: list[Resolver] = []
_catalogs: list[Catalog] = []


def register_resolver(resolver: Resolver) -> None:
    """Add who knows more refs: asked, in order, for refs that name no connection.

    A resolver returns None for what is not its own, raises UnknownModel (with a sentence) for a
    name of its own without that version or alias, and EngineStarting while it must be waited for.
    """
    if resolver not in _resolvers:
        _resolvers.append(resolver)


def register_catalog(catalog: Catalog) -> None:
    """Add who lists more refs of a project, for `/v1/models` and for pickers."""
    if catalog not in _catalogs:
        _catalogs.append(catalog)


def parse_ref(text: str) -> ModelRef:
    """Take a ref apart.

    Raises:
        InvalidInput: empty, too long, or with characters that no model name has.
    """
    if not text or len(text) > LONGEST_REF or not text.isprintable() or text != text.strip():
        raise InvalidInput("Name a model, such as openai/gpt-5-mini or my-model@production.")
    found = _REGISTERED.fullmatch(text)
    if found is None:
        return ModelRef(text)
    name, alias, version = found.groups()
    return ModelRef(text, name, alias or "", int(version) if version else None)


def resolve(project: Project, ref: str) -> Endpoint:
    """The endpoint that serves the ref in this project.

    Raises:
        UnknownModel: nothing of that name here.
        EngineStarting: a model of ours whose engine is not up yet.
        InvalidInput: not a ref.
        SealBroken: the connection's credential cannot be opened.
    """
    parsed = parse_ref(ref)
    connections = Connection.objects.in_project(project).of_models()
    if parsed.head:
        named = connections.filter(name=parsed.head).first()
        if named is not None and parsed.tail:
            return endpoint_of(named, parsed.tail)
    for resolver in _resolvers:
        found = resolver(project, parsed)
        if found is not None:
            return found
    default = None if parsed.name else connections.filter(is_default=True).first()
    if default is None:
        raise UnknownModel(_unknown(parsed))
    return endpoint_of(default, parsed.text)


def require_known(project: Project, ref: str) -> None:
    """Make sure that the ref names a model here, whether or not it can be asked right now.

    What goes to the default connection because it names no other must be among the models that
    connection lists, if it lists any: it may be a slip in a connection's name.

    Raises:
        UnknownModel, InvalidInput, SealBroken: see `resolve`.
    """
    try:
        found = resolve(project, ref)
    except EngineStarting:  # it is there
        return
    if found.is_engine or found.model != ref:
        return
    default = Connection.objects.in_project(project).of_models().filter(is_default=True).get()
    if default.model_names and ref not in default.model_names:
        raise UnknownModel(
            f"No connection serves “{ref}”: none is named before its first slash, and the default "
            f"connection “{default}” does not list it. Write connection/model, or add it to the "
            "connection's models."
        )


def known_refs(project: Project) -> list[str]:
    """Every ref we can name: registered models first, then the models connections list."""
    registered = [ref for catalog in _catalogs for ref in catalog(project)]
    listed = [
        f"{connection.name}/{name}"
        for connection in Connection.objects.in_project(project).of_models().by_name()
        for name in connection.model_names
    ]
    return list(dict.fromkeys([*registered, *listed]))


def endpoint_of(connection: Connection, model: str) -> Endpoint:
    """Where a connection's model is called.

    Raises:
        SealBroken: its credential cannot be opened.
    """
    return Endpoint(
        base_url=connection.base_url,
        api_key=credential_of(connection),
        model=model,
        kind=connection.kind,
        label=connection.name,
        private=connection.allow_private_network,
        retries=connection.retries,
        fallbacks=tuple(connection.fallbacks),
        first_byte_seconds=connection.first_byte_seconds,
        cache_seconds=connection.cache_seconds,
        requests_per_minute=connection.requests_per_minute,
        tokens_per_minute=connection.tokens_per_minute,
        at_once=connection.at_once,
        api_version=connection.api_version,
        batches=connection.batches,
    )


def _unknown(ref: ModelRef) -> str:
    if ref.name:
        return (
            f"There is no registered model “{ref.text}” in this project. Look under Models; for a "
            "provider's model of that name write connection/model."
        )
    return (
        f"No connection serves “{ref.text}”. Add a connection under Settings, or write "
        "connection/model."
    )
