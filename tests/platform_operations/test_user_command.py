"""`manage.py user create` makes the second account; its password is all that is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.platform_operations.programs import assert_one_sentence, manage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CHECK = (
    "from workbench.core.models import User, Membership;"
    "user = User.objects.get();"
    "print('checked', user.check_password({password!r}), Membership.objects.get().role)"
)


def test_an_account_signs_in_with_the_printed_password(var: Path) -> None:
    manage("key", "create", "--project", "Support", var=var)
    address = ("--email", "bob@example.com")
    said = manage("user", "create", *address, "--project", "support", var=var)

    check = CHECK.format(password=said.out.strip())
    found = manage("shell", "-v", "0", "-c", check, var=var)
    again = manage("user", "create", *address, var=var)

    assert len(said.out.splitlines()) == 1, said.text
    assert "checked True editor" in found.out, found.text
    assert_one_sentence(again, "Somebody with this address is here already")


def test_an_unknown_project_makes_no_account(var: Path) -> None:
    said = manage("user", "create", "--email", "bob@example.com", "--project", "none", var=var)
    found = manage(
        "shell", "-v", "0", "-c",
        "from workbench.core.models import User; print('people', User.objects.count())",
        var=var,
    )  # fmt: skip

    assert_one_sentence(said, "There is no project “none”")
    assert "people 0" in found.out
