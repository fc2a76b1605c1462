"""What people do to connections."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from workbench.core.egress import checked_url, origin_of
from workbench.core.errors import InvalidInput
from workbench.core.models import Project, User
from workbench.providers import probe
from workbench.providers.limits import NO_LIMITS, Limits
from workbench.providers.models import NAME_PATTERN, Connection
from workbench.providers.sealing import reseal, seal, unseal

MOST_MODELS = 500
MOST_RETRIES = 5
MOST_FALLBACKS = 5
LONGEST_WAIT = 3600
LONGEST_KEPT = 30 * 86_400


@dataclass(frozen=True)
class Routing:
    """What the gateway does with a connection's calls when nothing else is asked for.

    `retries` after a failure that another try may help, then the `fallbacks` (model refs) in
    order; `first_byte_seconds` for an answer to begin (None: the installation's), and
    `cache_seconds` an answer may be used again (0: never).
    """

    retries: int = 0
    fallbacks: tuple[str, ...] = ()
    first_byte_seconds: int | None = None
    cache_seconds: int = 0

    def apply(self, connection: Connection) -> None:
        """Put it into the connection.

        Raises:
            InvalidInput: something is out of range.
        """
        _require_between("Retry", self.retries, 0, MOST_RETRIES, "times")
        _require_between("Wait", self.first_byte_seconds or 1, 1, LONGEST_WAIT, "seconds")
        _require_between("Keep answers", self.cache_seconds, 0, LONGEST_KEPT, "seconds")
        refs = [ref.strip() for ref in self.fallbacks if ref.strip()]
        if len(refs) > MOST_FALLBACKS or any(len(ref) > 300 for ref in refs):
            raise InvalidInput(f"Name up to {MOST_FALLBACKS} models as fallbacks.")
        connection.retries = self.retries
        connection.fallbacks = refs
        connection.first_byte_seconds = self.first_byte_seconds
        connection.cache_seconds = self.cache_seconds


def _require_between(what: str, value: int, low: int, high: int, unit: str) -> None:
    if not low <= value <= high:
        raise InvalidInput(f"{what} from {low} to {high} {unit}.")


def save_connection(
    project: Project,
    *,
    name: str,
    base_url: str,
    by: User | None,
    connection: Connection | None = None,
    credential: str = "",
    model_names: Iterable[str] = (),
    allow_private_network: bool = False,
    is_default: bool = False,
    kind: str = Connection.Kind.OPENAI_COMPATIBLE,
    api_version: str = "",
    routing: Routing = Routing(),
    limits: Limits = NO_LIMITS,
) -> Connection:
    """Make a connection, or change one.

    An empty `credential` keeps the one there is, unless scheme, host or port changed: then it is
    cleared, so that editing an address never sends a credential somewhere new. The first
    connection of a project becomes its default.

    Raises:
        InvalidInput: the name or the address will not do, or the name is taken.
    """
    name = name.strip().lower()
    if not re.match(NAME_PATTERN, name):
        raise InvalidInput("Name it with up to 40 lower-case letters, digits, “-” and “_”.")
    changed = connection or Connection(project=project, created_by=by)
    before = changed.origin if changed.base_url else ""
    changed.name = name
    changed.base_url = _address(kind, base_url, allow_private_network)
    changed.allow_private_network = allow_private_network
    changed.kind = kind
    changed.api_version = _version(kind, api_version.strip())
    routing.apply(changed)
    limits.apply(changed)
    changed.model_names = _listed(model_names)
    _keep_or_seal(changed, before, credential.strip())
    with transaction.atomic():
        return _store(changed, is_default=is_default)


def _address(kind: str, base_url: str, private: bool) -> str:
    """The address that a connection of this kind may have: of the Hub, only the operator's.

    Of Azure it is the resource's; what a person copied after that is ours to add.
    """
    if kind == Connection.Kind.AZURE:
        return checked_url(re.sub(r"/openai(/.*)?$", "", base_url.strip()), private=private)
    if kind != Connection.Kind.HUGGING_FACE:
        return checked_url(base_url, private=private)
    if base_url.strip().rstrip("/") != settings.HUB_URL:
        raise InvalidInput(f"The Hub of this installation is {settings.HUB_URL}. Write that.")
    return str(settings.HUB_URL)


def _version(kind: str, version: str) -> str:
    """The API version of a connection to Azure; others have none."""
    if not re.fullmatch(r"[0-9A-Za-z.-]{0,40}", version):
        raise InvalidInput("Write the API version as Azure does, such as 2024-10-21.")
    return version if kind == Connection.Kind.AZURE else ""


def remove_connection(connection: Connection) -> None:
    """Remove a connection and its credential; another one becomes the default if it was that."""
    with transaction.atomic():
        others = Connection.objects.in_project(connection.project).exclude(pk=connection.pk)
        connection.delete()
        heir = others.of_models().order_by("created_at", "pk").first()
        if connection.is_default and heir is not None:
            Connection.objects.filter(pk=heir.pk).update(is_default=True)


def check_connection(connection: Connection, *, at: datetime) -> list[str]:
    """Ask the provider which models it has, and remember the answer or the problem.

    Azure lists what could be deployed, which is remembered nowhere.

    Raises:
        ConnectionProblem: it did not answer with a list of models; the sentence
            says what to change.
    """
    rows = Connection.objects.filter(pk=connection.pk)
    if connection.kind == Connection.Kind.HUGGING_FACE:
        raise InvalidInput("A connection to the Hub has no models to list. Push to it to try it.")
    try:
        found = probe.list_models(
            connection.base_url,
            credential=credential_of(connection),
            private=connection.allow_private_network,
            kind=connection.kind,
            api_version=connection.api_version,
        )
    except probe.ConnectionProblem as problem:
        rows.update(checked_at=at, problem=problem.sentence[:500])
        raise
    of_azure = connection.kind == Connection.Kind.AZURE
    known = _listed([*connection.model_names, *([] if of_azure else found)])
    rows.update(checked_at=at, problem="", model_names=known)
    return found


def credential_of(connection: Connection) -> str:
    """The plain credential; empty when there is none.

    Raises:
        SealBroken: it cannot be opened with the installation's keys.
    """
    if connection.sealed_credential is None:
        return ""
    return unseal(
        bytes(connection.sealed_credential),
        project=connection.project_id,
        connection=connection.pk,
        origin=connection.origin,
    )


def reseal_credentials() -> int:
    """Put every credential under the newest key; return how many there are.

    Raises:
        SealBroken: one of them does not open with any key; nothing was changed.
    """
    with transaction.atomic():
        sealed = Connection.objects.select_for_update().exclude(sealed_credential=None)
        for connection in sealed:
            credential_of(connection)
            connection.sealed_credential = reseal(bytes(connection.sealed_credential or b""))
            connection.save(update_fields=["sealed_credential"])
    return len(sealed)


def find_connection(project: Project, connection_id: UUID) -> Connection | None:
    return Connection.objects.in_project(project).filter(pk=connection_id).first()


def _listed(names: Iterable[str]) -> list[str]:
    cleaned = (name.strip() for name in names)
    return list(dict.fromkeys(name for name in cleaned if 0 < len(name) <= 200))[:MOST_MODELS]


def _keep_or_seal(connection: Connection, before: str, credential: str) -> None:
    if credential:
        if not credential.isascii() or not credential.isprintable():
            raise InvalidInput("The credential holds characters that no header can carry.")
        connection.sealed_credential = seal(
            credential,
            project=connection.project_id,
            connection=connection.pk,
            origin=connection.origin,
        )
    elif before and before != origin_of(connection.base_url):
        connection.sealed_credential = None


def _store(connection: Connection, *, is_default: bool) -> Connection:
    others = Connection.objects.in_project(connection.project).exclude(pk=connection.pk)
    serves = connection.kind != Connection.Kind.HUGGING_FACE
    if is_default and serves:
        others.filter(is_default=True).update(is_default=False)
    has_other = others.filter(is_default=True).exists()
    connection.is_default = serves and (is_default or not has_other)
    try:
        with transaction.atomic():
            connection.save()
    except IntegrityError as problem:
        raise InvalidInput(
            f"There is a connection called “{connection.name}” already."
        ) from problem
    return connection
