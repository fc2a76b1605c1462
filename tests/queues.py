"""The queues that tests leave in a broker which outlives them."""

from __future__ import annotations

from django.conf import settings

from workbench.core import broker


def delete_rabbitmq_queues() -> None:
    """Delete the three queues of this namespace, if RabbitMQ is the broker."""
    if settings.BROKER_URL is None or not settings.BROKER_URL.scheme.startswith("amqp"):
        return
    channel = broker.get_broker().connection.channel()
    for suffix in ("", ".DQ", ".XQ"):
        channel.queue_delete(broker.queue_name() + suffix)
    channel.connection.close()
