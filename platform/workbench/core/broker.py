"""The message broker: the same Postgres by default, Redis or RabbitMQ when BROKER_URL says so.

Messages carry a job's id and nothing else. Losing one costs seconds, because the worker's sweeper
looks at the rows; so a broker that is away never makes an action fail.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from uuid import UUID

import dramatiq
from django.conf import settings
from dramatiq.middleware import AgeLimit, CurrentMessage, Middleware, ShutdownNotifications
from dramatiq_postgres.django.middleware import DbConnectionsMiddleware

from workbench.core.libpq import libpq_keywords

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 3
"""How long an action may wait for a broker that does not answer."""
_lock = threading.Lock()
_made: dict[int, dramatiq.Broker] = {}


def holder() -> str:
    """Who holds a lease: host, process and thread."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"


def queue_name() -> str:
    """The queue of this installation; others may share the broker under other namespaces."""
    return f"{settings.BROKER_NAMESPACE}-jobs"


def hint(job_id: UUID) -> bool:
    """Tell a worker that a job waits; False when the broker took no message.

    Never raises: the sweeper finds the job anyway.
    """
    try:
        get_broker().enqueue(_message(job_id))
    except Exception as problem:
        logger.warning("The broker took no message, the sweeper will find the job: %r", problem)
        return False
    return True


def require_broker() -> None:
    """Prove that the broker lets us in; raises what its client raises."""
    broker = get_broker()
    if settings.BROKER_URL is None:
        return
    if settings.BROKER_URL.scheme.startswith("redis"):
        broker.client.ping()
    else:
        _ = broker.connection


def get_broker() -> dramatiq.Broker:
    """This process's broker, made on first use (never shared over a fork)."""
    with _lock:
        if os.getpid() not in _made:
            _made.clear()
            _made[os.getpid()] = _make_broker()
        return _made[os.getpid()]


def close_broker() -> None:
    """Close this process's broker, if it has one."""
    with _lock:
        broker = _made.pop(os.getpid(), None)
    if broker is not None:
        broker.close()


def _message(job_id: UUID) -> dramatiq.Message[None]:
    return dramatiq.Message(
        queue_name=queue_name(), actor_name="perform", args=(str(job_id),), kwargs={}, options={}
    )


def _make_broker() -> dramatiq.Broker:
    middleware = _middleware()
    broker = _broker_for(settings.BROKER_URL, middleware)
    broker.declare_actor(
        dramatiq.Actor(
            _perform,
            broker=broker,
            actor_name="perform",
            queue_name=queue_name(),
            priority=0,
            options={},
        )
    )
    return broker


def _middleware() -> list[Middleware]:
    """No Retries and no TimeLimit: attempts and leases are counted in the job's row."""
    return [AgeLimit(), ShutdownNotifications(), CurrentMessage(), DbConnectionsMiddleware()]


def _broker_for(url: object, middleware: list[Middleware]) -> dramatiq.Broker:
    text = url.geturl() if url else ""  # type: ignore[attr-defined]
    if text.startswith("redis"):
        from dramatiq.brokers.redis import RedisBroker

        return RedisBroker(
            url=text,
            middleware=middleware,
            namespace=settings.BROKER_NAMESPACE,
            socket_connect_timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
        )
    if text.startswith("amqp"):
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        patience = f"socket_timeout={ANSWER_SECONDS}&stack_timeout={2 * ANSWER_SECONDS}"
        text += f"{'&' if '?' in text else '?'}{patience}"
        return RabbitmqBroker(url=text, confirm_delivery=True, middleware=middleware)
    from dramatiq_postgres import PostgresBroker

    return PostgresBroker(url=libpq_keywords(), results=False, middleware=middleware)


def _perform(job_id: str) -> None:
    from workbench.core.queue import perform

    perform(UUID(job_id), holder=holder())
