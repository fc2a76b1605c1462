"""Providers that a new connection may start from: where they are, and where their keys are made."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.providers.models import Connection

OPENAI = Connection.Kind.OPENAI_COMPATIBLE
OTHER = "other"


@dataclass(frozen=True)
class Preset:
    """A provider as the form of a new connection is filled in for it.

    `name` is the connection's name, too; `keys` is the page where a credential is made (empty:
    none is needed), `note` what a newcomer has to know, `batches` whether it has OpenAI's Batch
    API.
    """

    name: str
    label: str
    word: str
    base_url: str = ""
    keys: str = ""
    kind: str = OPENAI.value
    private: bool = False
    note: str = ""
    placeholder: str = ""
    batches: bool = False


PRESETS = (
    Preset(
        "openai",
        "OpenAI",
        "GPT models",
        "https://api.openai.com/v1",
        "https://platform.openai.com/api-keys",
        batches=True,
    ),
    Preset(
        "anthropic",
        "Anthropic",
        "Claude models",
        "https://api.anthropic.com/v1",
        "https://platform.claude.com/settings/keys",
        kind=Connection.Kind.ANTHROPIC.value,
    ),
    Preset(
        "gemini",
        "Google Gemini",
        "Gemini models",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "https://aistudio.google.com/apikey",
        note="Gemini is called at the address where it answers in OpenAI's way.",
    ),
    Preset(
        "azure",
        "Azure OpenAI",
        "OpenAI's models in your Azure",
        kind=Connection.Kind.AZURE.value,
        keys="https://portal.azure.com",
        placeholder="https://your-resource.openai.azure.com",
        note="A model's name is the name of its deployment. Azure lists no deployments: write them "
        "under Models. The key is in the portal, under Keys and Endpoint of the resource.",
    ),
    Preset(
        "mistral",
        "Mistral",
        "Mistral's own models",
        "https://api.mistral.ai/v1",
        "https://console.mistral.ai/api-keys",
    ),
    Preset(
        "openrouter",
        "OpenRouter",
        "Many providers, one key",
        "https://openrouter.ai/api/v1",
        "https://openrouter.ai/settings/keys",
    ),
    Preset(
        "together",
        "Together AI",
        "Open models, hosted",
        "https://api.together.ai/v1",
        "https://api.together.ai/settings/api-keys",
    ),
    Preset(
        "fireworks",
        "Fireworks AI",
        "Open models, hosted",
        "https://api.fireworks.ai/inference/v1",
        "https://app.fireworks.ai/settings/users/api-keys",
        note="Models are called accounts/fireworks/models/NAME.",
    ),
    Preset(
        "groq",
        "Groq",
        "Open models, fast",
        "https://api.groq.com/openai/v1",
        "https://console.groq.com/keys",
        batches=True,
    ),
    Preset(
        "deepseek",
        "DeepSeek",
        "DeepSeek's own models",
        "https://api.deepseek.com/v1",
        "https://platform.deepseek.com/api_keys",
    ),
    Preset(
        "ollama",
        "Ollama",
        "Models on this machine",
        "http://127.0.0.1:11434/v1",
        private=True,
        note="Ollama needs no credential. In a container, this machine is another address: often "
        "http://host.docker.internal:11434/v1.",
    ),
    Preset(
        "vllm",
        "vLLM",
        "Your own GPU server",
        "http://127.0.0.1:8000/v1",
        private=True,
        note="vLLM wants a credential if it was started with --api-key.",
    ),
    Preset(
        OTHER,
        "Another provider",
        "Any address in OpenAI's way",
        note="Anything that answers POST /chat/completions below its address as OpenAI does.",
        placeholder="https://host/v1",
    ),
    Preset(
        "hugging-face",
        "Hugging Face Hub",
        "Where datasets are pushed to",
        "https://huggingface.co",
        "https://huggingface.co/settings/tokens",
        kind=Connection.Kind.HUGGING_FACE.value,
        note="A token with write access. It serves no models to call.",
    ),
)
_BY_NAME = {preset.name: preset for preset in PRESETS}


def find_preset(name: str) -> Preset | None:
    """The preset of this name, if there is one."""
    return _BY_NAME.get(name)


def preset_of(connection: Connection) -> Preset | None:
    """The provider a connection was made for, as far as its kind or address tells."""
    for preset in PRESETS:
        at_address = preset.base_url and connection.base_url == preset.base_url
        if at_address or (preset.kind == connection.kind and connection.kind != OPENAI):
            return preset
    return None
