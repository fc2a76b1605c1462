"""Who may judge in a study."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet

from evals.human.models import Study
from workbench.core.errors import InvalidInput, NotAllowed
from workbench.core.models import Membership, Project, Role, User

EDITORS = [role for role in Role if role.allows(Role.EDITOR)]


def raters_of(study: Study) -> QuerySet[User]:
    """The people it is for: chosen members, or whoever may edit the project now; but for those who
    stepped back."""
    members = Membership.objects.filter(project=study.project_id)
    if study.everybody:
        chosen = members.filter(role__in=EDITORS)
    else:
        chosen = members.filter(user__in=study.raters.all())
    there = User.objects.filter(pk__in=chosen.values("user"))
    blind = there.exclude(pk__in=study.stepped_back.values("pk"))
    return blind.order_by("name", "email", "pk")


def may_rate(study: Study, user: User | None) -> bool:
    """Whether the person is one of its raters."""
    return user is not None and raters_of(study).filter(pk=user.pk).exists()


def require_rater(study: Study, user: User | None) -> User:
    """
    Raises:
        NotAllowed: the person is none of its raters.
    """
    if user is None or not may_rate(study, user):
        raise NotAllowed(
            "You are not one of the raters of this study. Ask whoever made it to add you on its "
            "page."
        )
    return user


def members_named(project: Project, emails: Sequence[str]) -> list[User]:
    """The members with these e-mail addresses.

    Raises:
        InvalidInput: one of them is no member.
    """
    members = User.objects.filter(memberships__project=project)
    found = {user.email.lower(): user for user in members}
    for email in emails:
        if email.lower() not in found:
            raise InvalidInput(f"“{email[:100]}” is no member of the project. Invite them first.")
    return [found[email.lower()] for email in dict.fromkeys(emails)]
