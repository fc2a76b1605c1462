"""From a dataset version to all that came of it, and the other way round."""

from __future__ import annotations

import pytest
from django.test import Client

from finetunes.models import Alias
from requests_log.datasets.downstream import Kind, dependents_of
from requests_log.datasets.models import DatasetVersion
from requests_log.datasets.versions import VersionInUse, delete_version
from tests.conftest import Cast
from tests.curate.test_log_pages import text_of
from tests.evals.factories import make_comparison, make_version
from tests.registry.factories import make_model, make_model_version, make_run


def test_lineage_names_runs_models_deployments_and_comparisons(cast: Cast) -> None:
    version, other = make_version(cast.project, name="Used"), make_version(cast.project, name="No")
    run = make_run(cast.project, dataset_version=version, name="First try")
    model = make_model(cast.project, versions=0)
    trained = make_model_version(model, 1, run=run, dataset_version=version)
    Alias.objects.create(model=model, name="production", version=trained)
    further = make_run(cast.project, base_model="capital-letter:1", dataset_version=other)
    later = make_model(cast.project, name="later", versions=0)
    make_model_version(later, 1, run=further, dataset_version=other)
    make_run(cast.other_project, base_model="capital-letter:1")

    found = dependents_of([version.pk])

    assert [(one.kind, one.name) for one in found] == [
        (Kind.RUN, "First try"),
        (Kind.RUN, further.name),
        (Kind.MODEL, "capital-letter:1"),
        (Kind.MODEL, "later:1"),
        (Kind.ALIAS, "capital-letter@production"),
    ]


def test_a_version_that_something_stands_on_is_not_deleted(alice: Client, cast: Cast) -> None:
    version = make_version(cast.project, name="Used")
    run = make_run(cast.project, dataset_version=version, name="First try")

    with pytest.raises(VersionInUse, match="“First try” stand on it"):
        delete_version(version)
    page = f"/p/{cast.project.slug}/datasets/{version.dataset.slug}/versions/1/"
    alice.post(page + "delete/")

    assert DatasetVersion.objects.filter(pk=version.pk).exists()
    assert "First try" in text_of(alice.get(page))
    run.delete()
    delete_version(version)
    assert not DatasetVersion.objects.filter(pk=version.pk).exists()


def test_a_comparison_is_part_of_the_lineage(alice: Client, cast: Cast) -> None:
    comparison = make_comparison(cast.project)
    version = comparison.dataset_version

    page = text_of(alice.get(f"/p/{cast.project.slug}/datasets/{version.dataset.slug}/versions/1/"))

    assert f"/evals/{comparison.pk}/" in page


def test_a_models_page_leads_to_the_version_it_learned_from(alice: Client, cast: Cast) -> None:
    run = make_run(cast.project)
    model = make_model(cast.project, versions=0)
    make_model_version(model, 1, run=run, dataset_version=run.dataset_version)

    page = text_of(alice.get(f"/p/{cast.project.slug}/models/{model.name}/"))

    assert f"/datasets/{run.dataset_version.dataset.slug}/versions/1/" in page
