"""The tables of logged requests: partitioned, written by COPY, read through a view."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import migrations

from requests_log.partitions import make_weeks

REQUEST = """
CREATE TABLE requests_log_request (
    project_id bigint NOT NULL,
    id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    duration_ms double precision,
    ttft_ms double precision,
    key_id bigint,
    http_status integer,
    prompt_version integer,
    request_size integer NOT NULL,
    response_size integer,
    status text NOT NULL CHECK (status IN ('ok', 'error', 'client_closed')),
    operation text NOT NULL CHECK (operation IN ('chat', 'completion', 'responses', 'embedding')),
    provider text,
    model text,
    error_type text,
    error_message text,
    prompt_name text,
    end_user text,
    session text,
    trace_id text,
    span_id text,
    parent_id text,
    environment text,
    release text,
    source text,
    tags jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(tags) = 'object'),
    altered text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);
CREATE TABLE requests_log_request_default PARTITION OF requests_log_request DEFAULT;
CREATE INDEX request_by_model ON requests_log_request (project_id, model, id);
CREATE INDEX request_by_trouble ON requests_log_request (project_id, status, id)
    WHERE status <> 'ok';
CREATE INDEX request_by_prompt ON requests_log_request
    (project_id, prompt_name, prompt_version, id) WHERE prompt_name IS NOT NULL;
CREATE INDEX request_by_user ON requests_log_request (project_id, left(end_user, 120), id)
    WHERE end_user IS NOT NULL;
CREATE INDEX request_by_session ON requests_log_request (project_id, left(session, 120), id)
    WHERE session IS NOT NULL;
CREATE INDEX request_by_trace ON requests_log_request (project_id, trace_id, id)
    WHERE trace_id IS NOT NULL;
CREATE INDEX request_by_tags ON requests_log_request USING gin (tags);
"""

# Bodies arrive compressed, so Postgres must not try again: EXTERNAL keeps them as they are.
BODY = """
CREATE TABLE requests_log_body (
    project_id bigint NOT NULL,
    id uuid NOT NULL,
    codec text NOT NULL CHECK (codec IN ('raw', 'zstd')),
    request bytea NOT NULL,
    request_sha256 bytea NOT NULL CHECK (octet_length(request_sha256) = 32),
    response bytea,
    response_sha256 bytea CHECK (octet_length(response_sha256) = 32),
    variables bytea,
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);
ALTER TABLE requests_log_body
    ALTER request SET STORAGE EXTERNAL,
    ALTER response SET STORAGE EXTERNAL,
    ALTER variables SET STORAGE EXTERNAL;
CREATE TABLE requests_log_body_default PARTITION OF requests_log_body DEFAULT;
"""

DIGEST = """
CREATE TABLE requests_log_digest (
    project_id bigint NOT NULL,
    id uuid NOT NULL,
    digested_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    input_tokens integer,
    output_tokens integer,
    cached_tokens integer,
    reasoning_tokens integer,
    digest_version smallint NOT NULL,
    search_cut boolean NOT NULL DEFAULT false,
    cost numeric(18, 10),
    model_used text,
    finish_reason text,
    input_preview text,
    output_preview text,
    messages jsonb,
    tools jsonb,
    parameters jsonb,
    output jsonb,
    variables jsonb,
    search tsvector,
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);
CREATE TABLE requests_log_digest_default PARTITION OF requests_log_digest DEFAULT;
CREATE INDEX digest_by_search ON requests_log_digest USING gin (search);
"""

# The outbox lives from one look of the worker to the next, so it is vacuumed eagerly.
OUTBOX = """
CREATE TABLE requests_log_undigested (
    id uuid NOT NULL,
    project_id bigint NOT NULL,
    attempts smallint NOT NULL DEFAULT 0,
    retry_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    failed_at timestamptz,
    error text NOT NULL DEFAULT '',
    PRIMARY KEY (id, project_id)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
CREATE TABLE requests_log_quarantine (
    project_id bigint NOT NULL,
    id uuid NOT NULL,
    received_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    sqlstate text NOT NULL DEFAULT '',
    error text NOT NULL,
    facts bytea NOT NULL,
    request bytea NOT NULL,
    response bytea,
    PRIMARY KEY (project_id, id)
);
CREATE TABLE requests_log_dropped (
    project_id bigint NOT NULL,
    day date NOT NULL,
    reason text NOT NULL,
    count bigint NOT NULL CHECK (count > 0),
    PRIMARY KEY (project_id, day, reason)
);
"""

VIEW = """
CREATE VIEW requests_log_logged AS
SELECT r.*,
       d.digested_at, d.input_tokens, d.output_tokens, d.cached_tokens, d.reasoning_tokens,
       d.digest_version, d.search_cut, d.cost, d.model_used, d.finish_reason, d.input_preview,
       d.output_preview, d.messages, d.tools, d.parameters, d.output, d.variables, d.search
FROM requests_log_request r
LEFT JOIN requests_log_digest d ON d.project_id = r.project_id AND d.id = r.id;
"""

PARENTS = ("requests_log_request", "requests_log_body", "requests_log_digest")

DROP = """
DROP VIEW requests_log_logged;
DROP TABLE requests_log_request, requests_log_body, requests_log_digest,
    requests_log_undigested, requests_log_quarantine, requests_log_dropped;
"""


def make_first_weeks(apps: Any, schema_editor: Any) -> None:
    make_weeks(at=datetime.now(UTC), parents=PARENTS)


class Migration(migrations.Migration):
    initial = True
    dependencies = [("core", "0002_queue")]
    operations = [
        migrations.RunSQL(REQUEST + BODY + DIGEST + OUTBOX + VIEW, DROP),
        migrations.RunPython(make_first_weeks, migrations.RunPython.noop),
    ]
