"""Keys and their budgets over HTTP."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from workbench.core.api import endpoint
from workbench.core.authentication import key_of, project_of
from workbench.core.errors import InvalidInput
from workbench.core.models import ApiKey, Scope
from workbench.gateway.actions import accounts_of, remove_budget, set_budget
from workbench.gateway.models import KeyBudget


class BudgetOut(serializers.Serializer[Any]):
    amount = serializers.DecimalField(max_digits=12, decimal_places=2)
    period = serializers.ChoiceField(KeyBudget.Period.choices)


class BudgetIn(serializers.Serializer[Any]):
    amount = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=0)
    period = serializers.ChoiceField(KeyBudget.Period.choices)


class AccountOut(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="key.pk")
    name = serializers.CharField(source="key.name")
    prefix = serializers.CharField(source="key.prefix")
    budget = BudgetOut(allow_null=True)
    spent = serializers.DecimalField(max_digits=20, decimal_places=10)


class AccountListOut(serializers.Serializer[Any]):
    keys = AccountOut(many=True)


@extend_schema(responses=AccountListOut)
@endpoint(GET=Scope.READ)
def keys(request: Request) -> Response:
    """The project's keys, each with its budget and what it spent in the running period."""
    accounts = accounts_of(project_of(request), today=timezone.now().date())
    return Response(AccountListOut({"keys": accounts}).data)


@extend_schema(methods=["PUT"], request=BudgetIn, responses=BudgetOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(PUT=Scope.WRITE, DELETE=Scope.WRITE)
def key_budget(request: Request, key_id: int) -> Response:
    """Set or remove the budget of a key of the project, but not of the key that asks."""
    key = get_object_or_404(ApiKey, project=project_of(request), pk=key_id)
    if key.pk == key_of(request).pk:
        raise InvalidInput("A key cannot change its own budget. Use another one, or the page.")
    if request.method == "DELETE":
        remove_budget(key)
        return Response(status=204)
    given = BudgetIn(data=request.data)
    given.is_valid(raise_exception=True)
    return Response(BudgetOut(set_budget(key, **given.validated_data)).data)
