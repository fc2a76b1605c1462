"""Django's entry to this app."""

from __future__ import annotations

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "workbench.gateway"
    label = "gateway"
