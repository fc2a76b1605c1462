"""The Hugging Face Hub: making a dataset repository and putting a folder into it, in one commit.

The address is the operator's (`HUB_URL`); the token is the installation's (`HUB_TOKEN`) or that of
a connection of the project, which is sealed to that address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project
from workbench.providers.actions import credential_of
from workbench.providers.models import Connection

_REPOSITORY = re.compile(r"(?!.*(--|\.\.))([A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}")


class HubRefused(DomainError):
    """The Hub did not take it; the sentence says what to change."""

    code = "hub_refused"
    status = 502


@dataclass(frozen=True)
class Pushed:
    """Where a folder is now: the address of the repository and of the commit."""

    url: str
    commit: str


def checked_repository(name: str) -> str:
    """A repository's name, with or without its owner.

    Raises:
        InvalidInput: the Hub would not take it.
    """
    name = name.strip()
    if not _REPOSITORY.fullmatch(name) or name.endswith((".git", ".", "-")):
        raise InvalidInput("Name the repository owner/name, such as acme/checkout-answers.")
    return name


def token_for(project: Project, connection: str) -> str:
    """The token of the named connection; without a name the installation's.

    Raises:
        InvalidInput: there is none, so nothing can be pushed.
        SealBroken: the connection's token cannot be opened.
    """
    if not connection:
        if not settings.HUB_TOKEN:
            raise InvalidInput(
                "No token for the Hub. Add a connection of the kind “Hugging Face Hub” under "
                "Settings, or ask the operator to set HUB_TOKEN."
            )
        return str(settings.HUB_TOKEN)
    hubs = Connection.objects.in_project(project).hubs()
    found = hubs.filter(name=connection).first()
    token = credential_of(found) if found is not None else ""
    if not token:
        raise InvalidInput(f"There is no connection “{connection[:40]}” to the Hub with a token.")
    return token


def reading_token(project: Project, connection: str) -> str:
    """The token to read with, "" for none: public datasets need none.

    Raises:
        InvalidInput: there is no such connection.
        SealBroken: the connection's token cannot be opened.
    """
    if not connection and not settings.HUB_TOKEN:
        return ""
    return token_for(project, connection)


def push(folder: Path, *, repository: str, is_private: bool, token: str, message: str) -> Pushed:
    """Make the repository if it is not there, and replace its data files and card by the folder's.

    Files are read from disk while they are sent. An existing repository keeps its visibility.

    Raises:
        HubRefused: no permission, no such owner, no room.
        OSError: the Hub cannot be reached (httpx's errors among them); trying again may help.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    api = HfApi(endpoint=settings.HUB_URL, token=token)
    try:
        made: Any = api.create_repo(
            repository, repo_type="dataset", private=is_private, exist_ok=True
        )
        done = api.upload_folder(
            repo_id=made.repo_id,
            repo_type="dataset",
            folder_path=folder,
            commit_message=message,
            delete_patterns=["data/*"],
        )
    except HfHubHTTPError as problem:
        raise _refused(problem, repository) from problem
    return Pushed(str(made), str(done.oid))


def _refused(problem: Any, repository: str) -> Exception:
    """A refusal people can mend; anything else is tried again."""
    status = problem.response.status_code
    if status in (401, 403):
        return HubRefused(
            f"The Hub refused the token for {repository} ({status}). It needs write access there."
        )
    if 400 <= status < 500 and status not in (408, 429):
        told = str(problem.server_message or "").strip()[:200]
        return HubRefused(f"The Hub refused {repository} ({status}). {told}".strip())
    return problem  # type: ignore[no-any-return]
