"""What people and programs can do with prompts: save versions, move labels, put away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from prompts.content import Content, checked, content_of
from prompts.models import (
    LabelMove,
    LabelTarget,
    Prompt,
    PromptEvent,
    PromptLabel,
    PromptVersion,
)
from prompts.names import require_movable_label, require_name
from prompts.rendering.snippets import refs_in
from prompts.resolving import expanded, version_of
from workbench.core.errors import DomainError, InvalidInput, NotAllowed, NotFound
from workbench.core.models import Project, Role, User

MAX_TAGS = 30
MAX_DESCRIPTION = 10_000
Shares = list[dict[str, int]]


class NameTaken(DomainError):
    """The project has a prompt of this name."""

    code = "name_taken"


class Archived(DomainError):
    """The prompt is put away; nothing is added to it."""

    code = "archived"


class InUse(DomainError):
    """Something points at the prompt, so it cannot be deleted."""

    code = "in_use"


class NothingToRollBackTo(DomainError):
    """The label has pointed at one target only."""

    code = "nothing_to_roll_back_to"


@dataclass(frozen=True)
class Saved:
    """A version, and whether it is new: the same content saved again is the version there is."""

    version: PromptVersion
    is_new: bool


def create_prompt(
    project: Project,
    *,
    name: str,
    content: Mapping[str, Any],
    by: User | None,
    at: datetime,
    description: str = "",
    tags: Iterable[str] = (),
    message: str = "",
) -> Saved:
    """Make a prompt with its first version; `content` is described in docs/prompts.md.

    Raises:
        NameTaken: the project has one of this name, in whatever case.
        InvalidInput: the name, a tag or the content will not do.
        SnippetCycle, NotFound: its snippets cannot be put in.
    """
    values = {"description": _description(description), "tags": _tags(tags)}
    content_now = checked(content)
    prompt = Prompt(
        project=project, name=require_name(name), kind=content_now.kind, created_by=by,
        created_at=at, **values,
    )  # fmt: skip
    try:
        with transaction.atomic():
            prompt.save(force_insert=True)
            return _add_version(prompt, content_now, by=by, at=at, message=message)
    except IntegrityError as problem:
        if "prompt_name_once" not in str(problem):
            raise
        raise NameTaken(
            f"There is a prompt “{name}” already. Save a version of it, or choose another name."
        ) from problem


def save_version(
    prompt: Prompt, *, content: Mapping[str, Any], by: User | None, at: datetime, message: str = ""
) -> Saved:
    """Save what the prompt says now as its next version; no label moves.

    Content that a version has already gives that version back.

    Raises:
        Archived: the prompt is put away.
        InvalidInput: the content will not do, or is of the other kind.
        SnippetCycle, NotFound: its snippets cannot be put in.
    """
    content_now = checked(content)
    if content_now.kind != prompt.kind:
        raise InvalidInput(
            f"“{prompt}” is {_KINDS[prompt.kind]}, and stays so. Make another prompt for "
            f"{_KINDS[content_now.kind]}."
        )
    with transaction.atomic():
        return _add_version(_locked(prompt), content_now, by=by, at=at, message=message)


def move_label(
    prompt: Prompt,
    *,
    label: str,
    version: int,
    by: User | None,
    at: datetime,
    role: Role | None,
    reason: str = "",
) -> PromptLabel:
    """Point a label at a version; a new label is made. `role` is what the mover may do here.

    Raises:
        NotFound: no such version.
        NotAllowed: the label is protected and the mover no owner.
        SnippetCycle, InvalidInput: the version's snippets cannot be put in.
    """
    shares = [{"version": version, "percent": 100}]
    return set_split(prompt, label=label, split=shares, by=by, at=at, role=role, reason=reason)


def set_split(
    prompt: Prompt,
    *,
    label: str,
    split: Sequence[Mapping[str, Any]],
    by: User | None,
    at: datetime,
    role: Role | None,
    reason: str = "",
) -> PromptLabel:
    """Let a label mean several versions, `[{"version", "percent"}]`, by shares that sum to 100.

    Raises:
        InvalidInput: shares that do not sum to 100, or a version named twice.
        NotFound, NotAllowed, SnippetCycle: as in `move_label`.
    """
    require_movable_label(label)
    shares = _read_shares(split)
    with transaction.atomic():
        _locked(prompt)
        found = PromptLabel.objects.filter(prompt=prompt, name=label).first()
        _require_role(found, role)
        versions = {one["version"]: _usable(prompt, one["version"]) for one in shares}
        before = found.shares if found else []
        if found is not None and before == shares:
            return found
        found = found or PromptLabel(prompt=prompt, name=label)
        found.moved_at = at
        found.save()
        found.targets.all().delete()
        LabelTarget.objects.bulk_create(
            LabelTarget(label=found, version=versions[one["version"]], percent=one["percent"])
            for one in shares
        )
        _write_down(found, before, shares, by=by, at=at, reason=reason)
    return found


def roll_back(
    prompt: Prompt,
    *,
    label: str,
    by: User | None,
    at: datetime,
    role: Role | None,
    reason: str = "",
) -> PromptLabel:
    """Point a label at what it meant before; again goes further back.

    Raises:
        NothingToRollBackTo: it meant nothing before.
        NotFound: there is no such label.
        NotAllowed: as in `move_label`.
    """
    label_of(prompt, label)
    before = previous_shares(prompt).get(label)
    if before is None:
        raise NothingToRollBackTo(f"{prompt}@{label} has pointed at one target only.")
    return set_split(
        prompt, label=label, split=before, by=by, at=at, role=role, reason=reason or "Roll back"
    )


def previous_shares(prompt: Prompt) -> dict[str, Shares]:
    """What a roll-back would choose, by label; without the labels that have nothing to go back to.

    A move to what was before the current shares takes those off the label's pile, so that rolling
    back twice never brings back what the first time took away.
    """
    piles: dict[str, list[Shares]] = {}
    moves = LabelMove.objects.filter(prompt=prompt).order_by("pk")
    for label, after in moves.values_list("label", "after"):
        pile = piles.setdefault(label, [])
        if not after:
            pile.clear()
        elif pile[-2:-1] == [after]:
            pile.pop()
        else:
            pile.append(after)
    return {label: pile[-2] for label, pile in piles.items() if len(pile) > 1}


def remove_label(
    prompt: Prompt,
    *,
    label: str,
    by: User | None,
    at: datetime,
    role: Role | None,
    reason: str = "",
) -> None:
    """Take a label away; apps that ask for it are told that it is not there.

    Raises:
        NotFound, NotAllowed: as in `move_label`.
    """
    with transaction.atomic():
        _locked(prompt)
        found = label_of(prompt, label)
        _require_role(found, role)
        _write_down(found, found.shares, [], by=by, at=at, reason=reason)
        found.delete()


def protect_label(
    prompt: Prompt,
    *,
    label: str,
    protected: bool,
    by: User | None,
    at: datetime,
    role: Role | None,
) -> PromptLabel:
    """Let only owners move a label, or let editors move it again; for owners.

    Raises:
        NotFound, NotAllowed: as in `move_label`.
    """
    if role != Role.OWNER:
        raise NotAllowed("Only an owner of the project protects labels. Ask one.")
    with transaction.atomic():
        _locked(prompt)
        found = label_of(prompt, label)
        if found.protected != protected:
            found.protected = protected
            found.save(update_fields=["protected"])
            kind = PromptEvent.Kind.PROTECTED if protected else PromptEvent.Kind.UNPROTECTED
            _tell(prompt, kind, by=by, at=at, label=label)
    return found


def describe(
    prompt: Prompt,
    *,
    by: User | None,
    at: datetime,
    description: str | None = None,
    tags: Iterable[str] | None = None,
) -> Prompt:
    """Change what is said of a prompt; versions stay as they are."""
    with transaction.atomic():
        prompt = _locked(prompt)
        was = prompt.description, prompt.tags
        if description is not None:
            prompt.description = _description(description)
        if tags is not None:
            prompt.tags = _tags(tags)
        if was != (prompt.description, prompt.tags):
            prompt.save(update_fields=["description", "tags"])
            _tell(prompt, PromptEvent.Kind.DESCRIBED, by=by, at=at)
    return prompt


def archive(prompt: Prompt, *, by: User | None, at: datetime) -> Prompt:
    """Put a prompt away: lists leave it out, nothing is added, apps still get it. Twice is once."""
    with transaction.atomic():
        if Prompt.objects.filter(pk=prompt.pk, archived_at=None).update(archived_at=at):
            _tell(prompt, PromptEvent.Kind.ARCHIVED, by=by, at=at)
    prompt.refresh_from_db()
    return prompt


def unarchive(prompt: Prompt, *, by: User | None, at: datetime) -> Prompt:
    """Take a prompt up again."""
    with transaction.atomic():
        put_away = Prompt.objects.filter(pk=prompt.pk).exclude(archived_at=None)
        if put_away.update(archived_at=None):
            _tell(prompt, PromptEvent.Kind.UNARCHIVED, by=by, at=at)
    prompt.refresh_from_db()
    return prompt


def delete_prompt(prompt: Prompt, *, by: User | None, at: datetime) -> None:
    """Delete a prompt with all its versions and its history, for good; who did it is kept.

    Raises:
        InUse: a label points at one of its versions, or another prompt takes it in.
    """
    with transaction.atomic():
        prompt = _locked(prompt)
        labels = list(prompt.labels.order_by("name").values_list("name", flat=True))
        if labels:
            raise InUse(
                f"“{prompt}” still has labels: {', '.join(labels)}. Remove them first, or archive "
                "the prompt; apps may be fetching it."
            )
        versions = PromptVersion.objects.filter(prompt__project=prompt.project_id)
        user = versions.filter(snippets__contains=[prompt.name]).exclude(prompt=prompt).first()
        if user is not None:
            raise InUse(f"{user} takes in “{prompt}”, so it cannot be deleted. Archive it instead.")
        _tell(prompt, PromptEvent.Kind.DELETED, by=by, at=at)
        prompt.delete()


def label_of(prompt: Prompt, label: str) -> PromptLabel:
    """The prompt's label of this name.

    Raises:
        NotFound: there is none.
    """
    found = PromptLabel.objects.filter(prompt=prompt, name=label.replace("\x00", "")).first()
    if found is None:
        raise NotFound(f"“{prompt}” has no label “{label[:60]}”.", code="label_not_found")
    return found


_KINDS = {Prompt.Kind.TEXT.value: "a text", Prompt.Kind.CHAT.value: "a list of chat messages"}


def _add_version(
    prompt: Prompt, content: Content, *, by: User | None, at: datetime, message: str
) -> Saved:
    """The next version of a prompt whose row is ours."""
    if prompt.archived_at is not None:
        raise Archived(f"“{prompt}” is archived. Take it up again before you save a version.")
    existing = prompt.versions.filter(content_hash=content.hash).first()
    if existing is not None:
        return Saved(existing, is_new=False)
    expanded(prompt, content)
    prompt.versions_made += 1
    prompt.save(update_fields=["versions_made"])
    version = PromptVersion.objects.create(
        prompt=prompt,
        number=prompt.versions_made,
        syntax=content.syntax,
        body=content.body,
        variables=content.variables,
        few_shot=content.few_shot,
        tools=content.tools,
        response_schema=content.response_schema,
        settings=content.settings,
        message=_line(message, "the message", 1000),
        snippets=sorted({ref.name for _, text in content.templates() for ref in refs_in(text)}),
        content_hash=content.hash,
        created_by=by,
        created_at=at,
    )
    return Saved(version, is_new=True)


def _locked(prompt: Prompt) -> Prompt:
    """The prompt as it is now, ours until the transaction ends."""
    rows = Prompt.objects.select_for_update(of=("self",)).select_related("project")
    found = rows.filter(pk=prompt.pk).first()
    if found is None:
        raise NotFound(f"“{prompt}” was deleted meanwhile.", code="prompt_not_found")
    return found


def _usable(prompt: Prompt, number: int) -> PromptVersion:
    """The version, if an app could fetch it."""
    version = version_of(prompt, number)
    expanded(prompt, content_of(version))
    return version


def _require_role(label: PromptLabel | None, role: Role | None) -> None:
    if label is not None and label.protected and role != Role.OWNER:
        raise NotAllowed(
            f"{label} is protected: only an owner of the project moves it. Ask one, or let them "
            "make the key."
        )


def _write_down(
    label: PromptLabel,
    before: Shares,
    after: Shares,
    *,
    by: User | None,
    at: datetime,
    reason: str,
) -> None:
    LabelMove.objects.create(
        prompt=label.prompt, label=label.name, before=before, after=after, by=by, at=at,
        reason=_line(reason, "the reason", 1000),
    )  # fmt: skip


def _tell(
    prompt: Prompt, kind: PromptEvent.Kind, *, by: User | None, at: datetime, label: str = ""
) -> None:
    PromptEvent.objects.create(
        project_id=prompt.project_id, prompt=prompt, name=prompt.name, kind=kind, label=label,
        by=by, at=at,
    )  # fmt: skip


def _read_shares(split: Sequence[Mapping[str, Any]]) -> Shares:
    shares = [
        {"version": int(one["version"]), "percent": int(one["percent"])}
        for one in sorted(split, key=lambda one: int(one["version"]))
    ]
    if len({one["version"] for one in shares}) < len(shares):
        raise InvalidInput("The split names a version twice. Give each one share.")
    if not shares or any(one["percent"] < 1 for one in shares):
        raise InvalidInput("Give each version of the split at least 1 %.")
    total = sum(one["percent"] for one in shares)
    if total != 100:
        raise InvalidInput(f"The shares of the split sum to {total} %. Make them sum to 100 %.")
    return shares


def _description(text: str) -> str:
    return _line(text, "the description", MAX_DESCRIPTION)


def _tags(tags: Iterable[str]) -> list[str]:
    found = sorted({_line(tag, "a tag", 60) for tag in tags} - {""})
    if len(found) > MAX_TAGS:
        raise InvalidInput(f"A prompt has at most {MAX_TAGS} tags.")
    return found


def _line(text: str, what: str, most: int) -> str:
    text = text.strip()
    if "\x00" in text or len(text) > most:
        raise InvalidInput(f"Give {what} at most {most:,} characters, and no NUL among them.")
    return text
