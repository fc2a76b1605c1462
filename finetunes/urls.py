"""Pages of this app."""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from finetunes.actions.registry import ALIAS_NAME, MODEL_NAME
from finetunes.pages import launching, models, runs

app_name = "finetunes"


class ModelNameConverter(StringConverter):
    """The name of a registered model."""

    regex = MODEL_NAME.pattern


class AliasConverter(StringConverter):
    """The name of an alias."""

    regex = ALIAS_NAME.pattern


register_converter(ModelNameConverter, "model_name")
register_converter(AliasConverter, "alias_name")

run_pages = [
    path("tunes/", runs.run_list, name="runs"),
    path("tunes/new/", launching.new_run, name="new-run"),
    path("tunes/new/card/", launching.launch_card, name="launch-card"),
    path("tunes/<uuid:run_id>/", runs.run_page, name="run"),
    path("tunes/<uuid:run_id>/live/", runs.run_live, name="run-live"),
    path("tunes/<uuid:run_id>/stop/", runs.run_stop, name="run-stop"),
    path("tunes/<uuid:run_id>/register/", runs.run_register, name="run-register"),
]

model_pages = [
    path("models/", models.model_list, name="models"),
    path("models-of-request/<uuid:request_id>/", models.of_request, name="of-request"),
    path("import-model/", models.model_import, name="import-model"),
    path("models/<model_name:name>/", models.model_page, name="model"),
    path("models/<model_name:name>/promote/", models.model_promote, name="promote"),
    path(
        "models/<model_name:name>/<alias_name:alias>/roll-back/",
        models.model_roll_back,
        name="roll-back",
    ),
]

urlpatterns: list[URLPattern] = [*run_pages, *model_pages]
