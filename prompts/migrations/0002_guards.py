"""Triggers: a version never changes, numbers have no gap, and the shares of a label sum to 100."""

from __future__ import annotations

from django.db import migrations

# Who made a version may be forgotten with their account; nothing else of it may change. Whole
# prompts may go; one version of a prompt that stays may not.
GUARD = """
CREATE FUNCTION prompts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.created_by_id IS NULL AND
        to_jsonb(NEW) - 'created_by_id' = to_jsonb(OLD) - 'created_by_id' AND
        (NEW.body::text, NEW.variables::text, NEW.few_shot::text, NEW.tools::text,
         NEW.settings::text, coalesce(NEW.response_schema::text, '')) =
        (OLD.body::text, OLD.variables::text, OLD.few_shot::text, OLD.tools::text,
         OLD.settings::text, coalesce(OLD.response_schema::text, '')) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'A prompt version cannot change; save a new version.'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION prompts_refuse_gap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM prompts_promptversion
                      WHERE prompt_id = NEW.prompt_id) THEN
        RAISE EXCEPTION 'The next version''s number follows the newest one''s.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION prompts_refuse_fewer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM prompts_prompt WHERE id = OLD.prompt_id) THEN
        RAISE EXCEPTION 'A prompt keeps its versions; archive or delete the whole prompt.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION prompts_check_shares() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE one uuid := CASE WHEN TG_TABLE_NAME = 'prompts_promptlabel' THEN
    (to_jsonb(NEW) ->> 'id')::uuid ELSE
    (coalesce(to_jsonb(NEW), to_jsonb(OLD)) ->> 'label_id')::uuid END;
BEGIN
    IF EXISTS (SELECT FROM prompts_promptlabel WHERE id = one) AND 100 <>
        (SELECT coalesce(sum(percent), 0) FROM prompts_labeltarget WHERE label_id = one) THEN
        RAISE EXCEPTION 'The shares of a label must sum to 100.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (SELECT FROM prompts_labeltarget t JOIN prompts_promptlabel l ON l.id = t.label_id
               JOIN prompts_promptversion v ON v.id = t.version_id
               WHERE l.id = one AND v.prompt_id <> l.prompt_id) THEN
        RAISE EXCEPTION 'A label points at versions of its own prompt.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER prompt_version_is_frozen BEFORE UPDATE ON prompts_promptversion
    FOR EACH ROW EXECUTE FUNCTION prompts_refuse_change();
CREATE TRIGGER prompt_version_follows BEFORE INSERT ON prompts_promptversion
    FOR EACH ROW EXECUTE FUNCTION prompts_refuse_gap();
CREATE CONSTRAINT TRIGGER prompt_version_stays AFTER DELETE ON prompts_promptversion
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION prompts_refuse_fewer();
CREATE CONSTRAINT TRIGGER label_has_shares AFTER INSERT OR UPDATE ON prompts_promptlabel
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION prompts_check_shares();
CREATE CONSTRAINT TRIGGER shares_sum_to_100
    AFTER INSERT OR UPDATE OR DELETE ON prompts_labeltarget
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION prompts_check_shares();
"""

RELEASE = """
DROP TRIGGER prompt_version_is_frozen ON prompts_promptversion;
DROP TRIGGER prompt_version_follows ON prompts_promptversion;
DROP TRIGGER prompt_version_stays ON prompts_promptversion;
DROP TRIGGER label_has_shares ON prompts_promptlabel;
DROP TRIGGER shares_sum_to_100 ON prompts_labeltarget;
DROP FUNCTION prompts_refuse_change();
DROP FUNCTION prompts_refuse_gap();
DROP FUNCTION prompts_refuse_fewer();
DROP FUNCTION prompts_check_shares();
"""


class Migration(migrations.Migration):
    dependencies = [("prompts", "0001_registry")]
    operations = [migrations.RunSQL(GUARD, RELEASE)]
