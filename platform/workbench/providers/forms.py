"""The form of a connection."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import RegexValidator

from workbench.providers.actions import LONGEST_KEPT, LONGEST_WAIT, MOST_RETRIES, Routing
from workbench.providers.models import NAME_PATTERN, Connection


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
        help_text="Anthropic: its own /v1/messages, with its own way to send the credential. "
        "Hugging Face Hub: where datasets are pushed to; its address is https://huggingface.co.",
    )
    base_url = forms.CharField(
        label="Address",
        max_length=500,
        help_text="The base that ends in /v1, as https://api.openai.com/v1.",
        widget=forms.URLInput(attrs={"placeholder": "https://api.openai.com/v1"}),
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
        help_text="One a line, for the pickers. Test fills them in; others work too.",
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
        label="Wait for the first byte",
        min_value=1,
        max_value=LONGEST_WAIT,
        required=False,
        help_text="Seconds; empty: as the installation says (120). Raise it for slow models.",
    )
    cache_seconds = forms.IntegerField(
        label="Use answers again",
        min_value=0,
        max_value=LONGEST_KEPT,
        initial=0,
        required=False,
        help_text="Seconds in which exactly the same call gets the same answer. 0: never.",
    )

    def values(self) -> dict[str, Any]:
        """The cleaned fields, as `save_connection` takes them."""
        fields = dict(self.cleaned_data)
        routing = Routing(
            retries=fields.pop("retries") or 0,
            fallbacks=tuple(fields.pop("fallbacks").splitlines()),
            first_byte_seconds=fields.pop("first_byte_seconds"),
            cache_seconds=fields.pop("cache_seconds") or 0,
        )
        return {
            **fields,
            "kind": fields["kind"] or Connection.Kind.OPENAI_COMPATIBLE,
            "model_names": fields["model_names"].splitlines(),
            "routing": routing,
        }


def form_of(connection: Connection) -> ConnectionForm:
    """The form filled with what may be shown."""
    initial = {
        "name": connection.name,
        "base_url": connection.base_url,
        "model_names": "\n".join(connection.model_names),
        "kind": connection.kind,
        "retries": connection.retries,
        "fallbacks": "\n".join(connection.fallbacks),
        "first_byte_seconds": connection.first_byte_seconds,
        "cache_seconds": connection.cache_seconds,
        "is_default": connection.is_default,
        "allow_private_network": connection.allow_private_network,
    }
    return ConnectionForm(initial=initial)
