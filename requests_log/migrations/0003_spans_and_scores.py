"""Spans, scores and the version of the redaction rules; quarantine keeps all three kinds whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import migrations

from requests_log.partitions import make_weeks

# Documents arrive compressed, see requests_log_body.
SPAN = """
CREATE TABLE requests_log_span (
    project_id bigint NOT NULL,
    id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    duration_ms double precision,
    key_id bigint,
    prompt_version integer,
    input_size integer,
    output_size integer,
    redaction smallint NOT NULL DEFAULT 0,
    kind text NOT NULL CHECK (
        kind IN ('span', 'agent', 'tool', 'chain', 'retriever', 'embedding', 'guardrail')
    ),
    status text NOT NULL CHECK (status IN ('ok', 'error')),
    name text NOT NULL,
    trace_id text NOT NULL,
    span_id text NOT NULL,
    parent_id text,
    error_type text,
    error_message text,
    prompt_name text,
    end_user text,
    session text,
    environment text,
    release text,
    source text,
    tags jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(tags) = 'object'),
    altered text[] NOT NULL DEFAULT '{}',
    codec text NOT NULL CHECK (codec IN ('raw', 'zstd')),
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    input bytea,
    output bytea,
    attributes bytea,
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);
ALTER TABLE requests_log_span
    ALTER input SET STORAGE EXTERNAL,
    ALTER output SET STORAGE EXTERNAL,
    ALTER attributes SET STORAGE EXTERNAL;
CREATE TABLE requests_log_span_default PARTITION OF requests_log_span DEFAULT;
CREATE INDEX span_by_trace ON requests_log_span (project_id, trace_id, id);
"""

# Not partitioned: scores are small, and are looked up by requests and traces of any week.
SCORE = """
CREATE TABLE requests_log_score (
    project_id bigint NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    request_id uuid,
    number double precision,
    key_id bigint,
    redaction smallint NOT NULL DEFAULT 0,
    data_type text NOT NULL CHECK (data_type IN ('number', 'boolean', 'text')),
    origin text NOT NULL CHECK (origin IN ('end_user', 'human', 'judge', 'code')),
    name text NOT NULL CHECK (name <> ''),
    label text,
    trace_id text,
    author text,
    comment text,
    PRIMARY KEY (project_id, id),
    CONSTRAINT score_of_one_thing CHECK ((request_id IS NULL) <> (trace_id IS NULL)),
    CONSTRAINT score_has_its_value CHECK (
        CASE data_type WHEN 'text' THEN label IS NOT NULL AND number IS NULL
                       ELSE number IS NOT NULL AND label IS NULL END
    )
);
CREATE INDEX score_by_request ON requests_log_score (project_id, request_id, id)
    WHERE request_id IS NOT NULL;
CREATE INDEX score_by_trace ON requests_log_score (project_id, trace_id, id)
    WHERE trace_id IS NOT NULL;
CREATE INDEX score_by_name ON requests_log_score (project_id, name, id);
"""

QUARANTINE = """
ALTER TABLE requests_log_quarantine
    ADD COLUMN kind text NOT NULL DEFAULT 'request'
        CHECK (kind IN ('request', 'span', 'score')),
    ADD COLUMN variables bytea,
    ALTER request DROP NOT NULL,
    DROP CONSTRAINT requests_log_quarantine_pkey,
    ADD PRIMARY KEY (project_id, id, kind);
"""

VIEW = """
DROP VIEW requests_log_logged;
ALTER TABLE requests_log_request ADD COLUMN redaction smallint NOT NULL DEFAULT 0;
CREATE VIEW requests_log_logged AS
SELECT r.*,
       d.digested_at, d.input_tokens, d.output_tokens, d.cached_tokens, d.reasoning_tokens,
       d.digest_version, d.search_cut, d.cost, d.model_used, d.finish_reason, d.input_preview,
       d.output_preview, d.messages, d.tools, d.parameters, d.output, d.variables, d.search
FROM requests_log_request r
LEFT JOIN requests_log_digest d ON d.project_id = r.project_id AND d.id = r.id;
"""


def make_first_weeks(apps: Any, schema_editor: Any) -> None:
    make_weeks(at=datetime.now(UTC), parents=("requests_log_span",))


class Migration(migrations.Migration):
    dependencies = [("requests_log", "0002_models")]
    operations = [
        migrations.RunSQL(SPAN + SCORE + QUARANTINE + VIEW),
        migrations.RunPython(make_first_weeks, migrations.RunPython.noop),
    ]
