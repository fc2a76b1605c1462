"""Rating over HTTP, for whoever made the key: what is next, what is said of it, undo."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evals.human import rating
from evals.human.api import serializers as shapes
from evals.human.api.views import study_in
from evals.human.models import Slot
from evals.human.progress import own_progress
from evals.human.raters import require_rater
from evals.human.showing import asked_about
from evals.human.taking import work_for
from workbench.core.api import endpoint
from workbench.core.authentication import person_of
from workbench.core.models import Scope


@extend_schema(request=None, responses=shapes.WorkOut)
@endpoint(POST=Scope.WRITE)
def next_item(request: Request, study_id: str) -> Response:
    """Take what is to be judged next; it is held for 15 minutes, and given again until judged."""
    study = study_in(request, study_id)
    rater = require_rater(study, person_of(request))
    shown = next(iter(work_for(study, by=rater)), None)
    progress = own_progress(study, by=rater)
    return Response(
        {
            "slot": shown and str(shown.slot.pk),
            "question": shown.question if shown else [],
            "answers": shown.answers if shown else [],
            "questions": [field.as_json() for field in study.questions],
            "asked_about": asked_about(shown.messages) if shown else [],
            "done": progress.done,
            "left": progress.left,
        }
    )


@extend_schema(request=shapes.AnswerIn, responses={201: shapes.RatingOut})
@endpoint(POST=Scope.WRITE)
def ratings(request: Request, study_id: str) -> Response:
    """Judge or skip what was taken."""
    study = study_in(request, study_id)
    given = shapes.AnswerIn(data=request.data)
    given.is_valid(raise_exception=True)
    values = given.validated_data
    slots = Slot.objects.of_study(study).select_related("study__project", "study__form")
    slot = get_object_or_404(slots, pk=values["slot"])
    by, at = person_of(request), timezone.now()
    if values["skip"]:
        made = rating.skip(slot, by=by, at=at)
    else:
        said = rating.Said(values["answers"], values["choice"], values["comment"])
        made = rating.rate(slot, said, by=by, at=at)
    return Response(shapes.RatingOut(made).data, status=201)


@extend_schema(request=None, responses=shapes.RatingOut)
@endpoint(POST=Scope.WRITE)
def undo(request: Request, study_id: str) -> Response:
    """Take back the last thing that whoever made the key said in the study."""
    study = study_in(request, study_id)
    return Response(
        shapes.RatingOut(rating.undo(study, by=person_of(request), at=timezone.now())).data
    )
