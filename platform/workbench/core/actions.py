"""What people and programs can do to users, projects, members and keys."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, connection, transaction
from django.utils.text import slugify

from workbench.core.errors import DomainError, InvalidInput, NotFound
from workbench.core.keys import KeyText, new_key
from workbench.core.models import ApiKey, Membership, Project, Role, Scope, User

RESERVED_SLUGS = frozenset({"new", "api", "static"})


class SetupDone(DomainError):
    """The first user exists already; sign in instead."""

    code = "setup_done"


class LastOwner(DomainError):
    """A project must keep an owner."""

    code = "last_owner"


def first_run_setup(*, email: str, password: str, name: str, project: str) -> tuple[User, Project]:
    """Make the first user and the first project; only possible while there is no user.

    Raises:
        SetupDone: somebody has set the installation up already.
        InvalidInput: the address or password will not do.
    """
    with transaction.atomic():
        one_at_a_time("stillhouse-first-run")
        if User.objects.exists():
            raise SetupDone("This installation is set up already. Sign in, or ask its owner.")
        user = create_user(email=email, password=password, name=name)
        User.objects.filter(pk=user.pk).update(is_staff=True)
        return user, _adopt_or_create(project, user)


def create_user(*, email: str, password: str, name: str = "") -> User:
    """Make a person who can sign in.

    Raises:
        InvalidInput: the address is malformed or taken, or the password is too easy to guess.
    """
    user = User(email=User.objects.normalize_email(email.strip()), name=name.strip())
    try:
        validate_email(user.email)
        validate_password(password, user)
    except ValidationError as problem:
        raise InvalidInput(" ".join(problem.messages)) from problem
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as problem:
        raise InvalidInput("Somebody with this address is here already.") from problem
    return user


def create_project(*, name: str, owner: User | None) -> Project:
    """Make a project, with its owner as the first member; the slug comes from the name."""
    name = _line(name)
    if not name:
        raise InvalidInput("Give the project a name.")
    with transaction.atomic():
        one_at_a_time("stillhouse-project")
        project = Project.objects.create(name=name[:120], slug=_free_slug(name))
        if owner is not None:
            Membership.objects.create(project=project, user=owner, role=Role.OWNER)
    return project


def find_or_create_project(*, name: str) -> Project:
    """The project with this slug or name; a new one without members when there is none."""
    with transaction.atomic():
        one_at_a_time("stillhouse-project")
        found = (
            Project.objects.filter(slug=name).first()
            or Project.objects.filter(name=_line(name)).order_by("pk").first()
        )
        return found or create_project(name=name, owner=None)


def add_member(project: Project, *, email: str, role: Role) -> Membership:
    """Let a person who has an account into the project, or change the role they have."""
    email = _line(email)
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        raise NotFound(
            f"Nobody with the address {email} has an account here. Make one on the server: "
            f"manage.py user create --email {email}"
        )
    with transaction.atomic():
        _keep_an_owner(project, user, role)
        membership, _ = Membership.objects.update_or_create(
            project=project, user=user, defaults={"role": role}
        )
    return membership


def remove_member(project: Project, *, user: User) -> None:
    """Take a person out of the project.

    Raises:
        LastOwner: they are its only owner.
    """
    with transaction.atomic():
        _keep_an_owner(project, user, None)
        Membership.objects.filter(project=project, user=user).delete()


def create_api_key(
    project: Project,
    *,
    name: str,
    scopes: Iterable[str],
    by: User | None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, KeyText]:
    """Make a key. The text is returned this once and cannot be had again.

    Raises:
        InvalidInput: no name, or a scope that does not exist.
    """
    wanted = list(dict.fromkeys(scopes))
    unknown = [scope for scope in wanted if scope not in Scope.values]
    if unknown or not wanted:
        raise InvalidInput(f"Choose at least one scope of: {', '.join(Scope.values)}.")
    name = _line(name)
    if not name:
        raise InvalidInput("Give the key a name that says where it is used.")
    text = new_key()
    key = ApiKey.objects.create(
        project=project,
        name=name[:120],
        prefix=text.prefix,
        digest=text.digest,
        scopes=wanted,
        created_by=by,
        expires_at=expires_at,
    )
    return key, text


def revoke_api_key(key: ApiKey, *, at: datetime) -> None:
    """End a key; revoking twice is harmless. It stops working everywhere within five seconds."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at)


def find_api_key(text: KeyText | None, *, at: datetime) -> ApiKey | None:
    """The usable key with this text, with its project; None for any other text."""
    if text is None:
        return None
    key = ApiKey.objects.usable(at).select_related("project").filter(prefix=text.prefix).first()
    return key if key is not None and text.matches(key.digest) else None


def one_at_a_time(what: str) -> None:
    """Wait for others doing the same; the lock lasts until the transaction's end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [what])


def _line(text: str) -> str:
    """One line of text as Postgres can keep it; control characters become spaces."""
    readable = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(readable.split())


def _adopt_or_create(name: str, owner: User) -> Project:
    """Projects made from the command line before set-up belong to the first user too."""
    for project in Project.objects.filter(memberships=None):
        Membership.objects.create(project=project, user=owner, role=Role.OWNER)
    existing = Project.objects.filter(name__iexact=name.strip()).first()
    return existing or create_project(name=name, owner=owner)


def _free_slug(name: str) -> str:
    base = slugify(name)[:50] or "project"
    if base in RESERVED_SLUGS:
        base = f"{base}-project"
    taken = set(Project.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    if base not in taken:
        return base
    return next(f"{base}-{n}" for n in range(2, len(taken) + 3) if f"{base}-{n}" not in taken)


def _keep_an_owner(project: Project, user: User, role: Role | None) -> None:
    owners = Membership.objects.select_for_update().filter(project=project, role=Role.OWNER)
    left = [owner for owner in owners if owner.user_id != user.pk]
    was_owner = len(left) < len(owners)
    if was_owner and not left and role != Role.OWNER:
        raise LastOwner("A project needs an owner. Make somebody else an owner first.")
