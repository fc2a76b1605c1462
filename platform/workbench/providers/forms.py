"""The form of a connection."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from django.http import QueryDict
from django.utils.html import format_html

from workbench.providers.actions import LONGEST_KEPT, LONGEST_WAIT, MOST_RETRIES, Routing
from workbench.providers.limits import MOST_A_MINUTE, MOST_AT_ONCE, Limits
from workbench.providers.models import NAME_PATTERN, Connection
from workbench.providers.presets import OTHER, Preset, preset_of
from workbench.providers.wire import AZURE_VERSION

KEPT_CREDENTIAL = "Leave it empty to keep the one there is; changing the host clears it."
KEYS_ARE_AT = "Make one at"


class ConnectionForm(forms.Form):
    """A connection as people enter it; the credential goes in and never comes out."""

    name = forms.CharField(
        max_length=40,
        help_text="Model refs start with it: name/model.",
        validators=[RegexValidator(NAME_PATTERN, "Use lower-case letters, digits, - and _.")],
    )
    kind = forms.ChoiceField(
        choices=Connection.Kind.choices,
        initial=Connection.Kind.OPENAI_COMPATIBLE,
        required=False,
        help_text="How its server is spoken to. What answers in OpenAI's way is OpenAI-compatible.",
    )
    base_url = forms.CharField(
        label="Address",
        max_length=500,
        help_text="The base that calls are made below; it often ends in /v1.",
        widget=forms.URLInput(attrs={"placeholder": "https://api.openai.com/v1"}),
    )
    api_version = forms.CharField(
        label="API version",
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"placeholder": AZURE_VERSION}),
        help_text=f"Only for Azure, which wants one with every call. Empty: {AZURE_VERSION}.",
    )
    credential = forms.CharField(
        required=False,
        max_length=4000,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="The provider's API key. Kept encrypted and never shown.",
    )
    model_names = forms.CharField(
        label="Models",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono"}),
        help_text="One a line, for the pickers. A test adds what the provider lists.",
    )
    is_default = forms.BooleanField(
        label="Default connection",
        required=False,
        help_text="A model without a connection's name goes here.",
    )
    allow_private_network = forms.BooleanField(
        label="Allow the private network",
        required=False,
        help_text="For a model on this machine or your own network; also allows plain http.",
    )

    retries = forms.IntegerField(
        min_value=0,
        max_value=MOST_RETRIES,
        initial=0,
        required=False,
        help_text="After no connection, a rate limit or trouble at the provider, before the first "
        "byte. 0: leave it to the callers.",
    )
    fallbacks = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono"}),
        help_text="Model refs to ask, in order, when a call fails here. One a line.",
    )
    first_byte_seconds = forms.IntegerField(
        label="First byte",
        min_value=1,
        max_value=LONGEST_WAIT,
        required=False,
        help_text="Seconds to wait for it; empty: as the installation says (120).",
    )
    cache_seconds = forms.IntegerField(
        label="Use answers again",
        min_value=0,
        max_value=LONGEST_KEPT,
        initial=0,
        required=False,
        help_text="Seconds in which exactly the same call gets the same answer. 0: never.",
    )
    requests_per_minute = forms.IntegerField(
        label="Requests a minute",
        min_value=1,
        max_value=MOST_A_MINUTE,
        required=False,
    )
    tokens_per_minute = forms.IntegerField(
        label="Tokens a minute",
        min_value=1,
        max_value=MOST_A_MINUTE,
        required=False,
        help_text="Input and output together.",
    )
    at_once = forms.IntegerField(
        label="Calls at once",
        min_value=1,
        max_value=MOST_AT_ONCE,
        required=False,
    )
    batches = forms.BooleanField(
        label="Has a Batch API",
        required=False,
        help_text="In OpenAI's shape (/files and /batches): pipelines may then ask in batches, "
        "which costs half and takes up to a day.",
    )

    def __init__(
        self, data: QueryDict | None = None, *, preset: Preset | None = None, **more: Any
    ) -> None:
        super().__init__(data, **more)
        if preset is not None:
            _fit(self, preset)

    @property
    def is_azure(self) -> bool:
        return str(self["kind"].value()) == Connection.Kind.AZURE

    @property
    def serves_models(self) -> bool:
        return str(self["kind"].value()) != Connection.Kind.HUGGING_FACE

    def values(self) -> dict[str, Any]:
        """The cleaned fields, as `save_connection` takes them."""
        fields = dict(self.cleaned_data)
        routing = Routing(
            retries=fields.pop("retries") or 0,
            fallbacks=tuple(fields.pop("fallbacks").splitlines()),
            first_byte_seconds=fields.pop("first_byte_seconds"),
            cache_seconds=fields.pop("cache_seconds") or 0,
        )
        limits = Limits(
            requests_per_minute=fields.pop("requests_per_minute"),
            tokens_per_minute=fields.pop("tokens_per_minute"),
            at_once=fields.pop("at_once"),
            batches=fields.pop("batches"),
        )
        return {
            **fields,
            "kind": fields["kind"] or Connection.Kind.OPENAI_COMPATIBLE,
            "model_names": fields["model_names"].splitlines(),
            "routing": routing,
            "limits": limits,
        }


def _fit(form: ConnectionForm, preset: Preset) -> None:
    """Say at the fields what this provider wants there."""
    form.fields["base_url"].widget.attrs["placeholder"] = preset.placeholder or preset.base_url
    credential = form.fields["credential"]
    if preset.keys:
        link = '<a href="{}" rel="noreferrer">{}</a>'
        page = format_html(link, preset.keys, preset.keys.removeprefix("https://"))
        credential.help_text = format_html("{} {} {}.", credential.help_text, KEYS_ARE_AT, page)


def form_for(
    preset: Preset, taken: Collection[str], data: QueryDict | None = None
) -> ConnectionForm:
    """The form of a new connection to this provider; `taken` are the names that are in use."""
    names = [preset.name, *(f"{preset.name}-{number}" for number in range(2, 100))]
    is_hub = preset.kind == Connection.Kind.HUGGING_FACE
    initial = {
        "name": "" if preset.name == OTHER else next((n for n in names if n not in taken), ""),
        "base_url": settings.HUB_URL if is_hub else preset.base_url,
        "kind": preset.kind,
        "allow_private_network": preset.private,
        "batches": preset.batches,
    }
    return ConnectionForm(data, preset=preset, initial=initial)


def form_of(connection: Connection, data: QueryDict | None = None) -> ConnectionForm:
    """The form filled with what may be shown."""
    initial = {
        "name": connection.name,
        "base_url": connection.base_url,
        "api_version": connection.api_version,
        "model_names": "\n".join(connection.model_names),
        "kind": connection.kind,
        "retries": connection.retries,
        "fallbacks": "\n".join(connection.fallbacks),
        "first_byte_seconds": connection.first_byte_seconds,
        "cache_seconds": connection.cache_seconds,
        "requests_per_minute": connection.requests_per_minute,
        "tokens_per_minute": connection.tokens_per_minute,
        "at_once": connection.at_once,
        "batches": connection.batches,
        "is_default": connection.is_default,
        "allow_private_network": connection.allow_private_network,
    }
    form = ConnectionForm(data, preset=preset_of(connection), initial=initial)
    if connection.has_credential:
        credential = form.fields["credential"]
        credential.help_text = KEPT_CREDENTIAL
        credential.widget.attrs["placeholder"] = "kept, not shown"
    return form
