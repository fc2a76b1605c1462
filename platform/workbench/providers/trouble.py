"""What is wrong with a connection, in a sentence that says what to change."""

from __future__ import annotations

import aiohttp

from workbench.core.egress import was_blocked
from workbench.core.errors import DomainError
from workbench.providers.failures import from_answer
from workbench.providers.models import Connection

MOST_SAID = 240
HIDDEN = "[credential]"


class ConnectionProblem(DomainError):
    """A provider did not answer as expected; the sentence says what to change."""

    code = "connection_failed"
    status = 502


def unreachable(problem: BaseException, base_url: str, *, seconds: float) -> str:
    """Why there was no answer at all."""
    if was_blocked(problem):
        return (
            f"{base_url} leads to a private address. Allow the private network for this "
            "connection if that is meant."
        )
    if isinstance(problem, TimeoutError):
        return (
            f"{base_url} did not answer within {seconds:.0f} seconds. Check that the server runs, "
            "and that no firewall is in between."
        )
    if isinstance(problem, aiohttp.ClientConnectorCertificateError):
        return (
            f"The certificate of {base_url} is not trusted here: "
            f"{without(str(problem.certificate_error), '')}. Give the server a valid one."
        )
    if isinstance(problem, aiohttp.ClientSSLError):
        return f"{base_url} does not speak TLS. Should the address begin with http://?"
    if isinstance(problem, aiohttp.ClientConnectorDNSError):
        return f"Nobody knows the host of {base_url}. Check how it is spelled."
    return f"{base_url} cannot be reached. Check the address and that the server runs."


def refused(status: int, body: bytes, base_url: str, *, kind: str, credential: str) -> str:
    """What an answer other than 200 means, with the provider's own words."""
    said = without(from_answer("", status, {}, body).words, credential)[:MOST_SAID].strip()
    quoted = f" It said: “{said}”" if said else ""
    return f"{_remedy(status, base_url, kind)}{quoted}"


def without(text: str, credential: str) -> str:
    """The text without the credential, should the provider repeat it."""
    return text.replace(credential, HIDDEN) if credential else text


def _remedy(status: int, base_url: str, kind: str) -> str:
    if status == 401:
        return f"{base_url} refused the credential (401). Enter it again."
    if status == 403:
        return (
            f"{base_url} refused the credential (403). Enter it again, or give it the right to use "
            "models at the provider."
        )
    if status == 429:
        return (
            f"{base_url} has no more for this credential now (429). Wait a minute; if it stays, "
            "look at quota and billing at the provider."
        )
    if 300 <= status < 400:
        return f"{base_url} redirects elsewhere ({status}). Enter the final address."
    if status == 404:
        return f"{base_url} has no list of models (404). {_right_base(kind)}"
    return f"{base_url} answered with status {status}. Try again, or check the provider."


def _right_base(kind: str) -> str:
    if kind == Connection.Kind.AZURE:
        return "Is it the resource's own address, https://NAME.openai.azure.com?"
    return "Does the address end in /v1? If the provider lists none, write the models by hand."
