"""Writing, changing and deleting comments on requests."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from requests_log.feedback.correcting import require_request
from requests_log.feedback.models import Comment
from requests_log.feedback.texts import checked, redacted_words
from workbench.core.errors import NotAllowed
from workbench.core.models import Project, Role, User

MAX_COMMENT = 10_000


def add_comment(
    project: Project, *, request_id: UUID, text: str, by: User | None, at: datetime
) -> Comment:
    """Write a comment; `by` is None for a program whose key nobody owns any more.

    Raises:
        NotFound: the request is not in the log.
        InvalidInput: nothing was written, or too much.
    """
    require_request(project, request_id)
    text = redacted_words(project, checked("comment", text, most=MAX_COMMENT))
    return Comment.objects.create(
        project=project, request_id=request_id, author=by, text=text, created_at=at
    )


def change_comment(comment: Comment, *, text: str, by: User | None, at: datetime) -> Comment:
    """Write the comment anew.

    Raises:
        NotAllowed: somebody else wrote it.
        InvalidInput: nothing was written, or too much.
    """
    if comment.author_id != (by.pk if by else None):
        raise NotAllowed("Only who wrote a comment can change it. Write one of your own below it.")
    comment.text = redacted_words(comment.project, checked("comment", text, most=MAX_COMMENT))
    comment.edited_at = at
    comment.save(update_fields=["text", "edited_at"])
    return comment


def delete_comment(comment: Comment, *, by: User | None, role: Role) -> None:
    """Delete a comment: one's own, or as an owner of the project anybody's.

    Raises:
        NotAllowed: somebody else wrote it.
    """
    if comment.author_id != (by.pk if by else None) and role != Role.OWNER:
        raise NotAllowed("Only who wrote a comment, or an owner of the project, can delete it.")
    comment.delete()
