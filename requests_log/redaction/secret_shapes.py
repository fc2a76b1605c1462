"""The shapes of API keys and tokens that their makers begin with a telling prefix."""

from __future__ import annotations

import re

_SHAPES = (
    r"sk-[A-Za-z0-9_-]{20,}",  # OpenAI, Anthropic, OpenRouter, DeepSeek
    r"gsk_[A-Za-z0-9]{32,}",  # Groq
    r"xai-[A-Za-z0-9]{32,}",
    r"pplx-[A-Za-z0-9]{32,}",
    r"r8_[A-Za-z0-9]{30,}",  # Replicate
    r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
    r"AIza[A-Za-z0-9_-]{35}",  # Google
    r"ya29\.[A-Za-z0-9_-]{20,}",
    r"GOCSPX-[A-Za-z0-9_-]{28}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",  # AWS
    r"(?i:aws_?secret_?access_?key)[\"' ]{0,2}[:=][\"' ]{0,2}[A-Za-z0-9/+]{40}",
    r"gh[pousr]_[A-Za-z0-9]{36,}",  # GitHub
    r"github_pat_[A-Za-z0-9_]{22,}",
    r"glpat-[A-Za-z0-9_-]{20,}",  # GitLab
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}",  # Slack
    r"hooks\.slack\.com/services/[A-Za-z0-9/]{20,}",
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}",  # Stripe
    r"whsec_[A-Za-z0-9+/=]{24,}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_-]{50,}",
    r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",  # SendGrid
    r"(?:AC|SK)[0-9a-f]{32}",  # Twilio
    r"dop_v1_[a-f0-9]{64}",  # DigitalOcean
    r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",  # Shopify
    r"dapi[a-f0-9]{32}",  # Databricks
    r"\d{8,10}:AA[A-Za-z0-9_-]{33}",  # Telegram
    r"sh_[a-z0-9]{8}_[A-Za-z0-9_-]{43}",  # ours
    r"(?i:bearer)[ ]+[A-Za-z0-9._~+/-]{20,}=*",
)
SECRETS = "|".join(_SHAPES)
BEARER = re.compile(rb"(?i:bearer) +|(?i:aws_?secret_?access_?key)[\"' ]{0,2}[:=][\"' ]{0,2}")
"""The words before a secret that stay."""
