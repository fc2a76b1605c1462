"""The pages of pipelines and their runs, below /p/<project>/."""

from __future__ import annotations

from django.urls import path

from evals.pipelines.pages import building, lists, people, results, runs

app_name = "pipelines"
ONE = "evals/pipelines/<uuid:pipeline_id>/"
RUN = "evals/pipelines/runs/<uuid:run_id>/"
urlpatterns = [
    path("evals/pipelines/", lists.pipeline_list, name="list"),
    path("evals/pipelines/new/", building.new_pipeline, name="new"),
    path("evals/pipelines/build/", building.build, name="build"),
    path(ONE, lists.pipeline_page, name="pipeline"),
    path(f"{ONE}edit/", building.edit_pipeline, name="edit"),
    path(f"{ONE}delete/", lists.pipeline_delete, name="delete"),
    path(RUN, runs.run_page, name="run"),
    path(f"{RUN}test/", building.test_result, name="test"),
    path(f"{RUN}stop/", runs.run_stop, name="stop"),
    path(f"{RUN}resume/", runs.run_resume, name="resume"),
    path(f"{RUN}again/", runs.run_again, name="again"),
    path(f"{RUN}people/", people.queue, name="people"),
    path(f"{RUN}people/undo/", people.undo, name="people-undo"),
    path(f"{RUN}people/<int:task_id>/", people.decide, name="people-decide"),
    path(f"{RUN}examples/", results.examples, name="examples"),
    path(f"{RUN}rows/<int:position>/<int:step>/", runs.run_cell, name="cell"),
    path(f"{RUN}rows/<int:position>/<int:step>/again/", runs.cell_again, name="cell-again"),
]
