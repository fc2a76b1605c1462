"""What the documents list is what the code has."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from django.core.management import call_command

from tests.core.routes import routes

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "platform" / "workbench" / "settings.py"
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def read_by_settings() -> dict[str, object]:
    """Variables that settings.py reads, each with its default where that is written out."""
    found: dict[str, object] = {}
    for node in ast.walk(ast.parse(SETTINGS.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and re.fullmatch(r"env\.\w+", ast.unparse(node.func))):
            continue
        name = ast.literal_eval(node.args[0])
        default = node.args[1] if len(node.args) > 1 else None
        found[name] = _written_out(default)
    return found


def _written_out(default: ast.expr | None) -> object:
    if default is None:
        return None
    try:
        return eval(compile(ast.Expression(default), "settings", "eval"), {"__builtins__": {}})  # noqa: S307
    except NameError:
        return None


def documented() -> dict[str, str]:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    return {name: default for name, default, _ in ROW.findall(text)}


def test_every_setting_is_documented() -> None:
    assert set(documented()) == set(read_by_settings())


def test_documented_defaults_are_the_real_ones() -> None:
    written = documented()

    for name, default in read_by_settings().items():
        if isinstance(default, str | int):
            assert written[name] == f"`{default}`", name


def _shape(path: str) -> str:
    return re.sub(r"[<{][^>}]*[>}]", "{}", path).strip("/")


def test_every_api_route_is_in_the_schema_without_warnings(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"

    call_command(
        "spectacular", format="openapi-json", file=str(file), validate=True, fail_on_warn=True
    )

    described = json.loads(file.read_text(encoding="utf-8"))["paths"]
    offered = {
        (_shape(path), method.upper()) for path, methods in described.items() for method in methods
    }
    wanted = {(_shape(r.template), method) for r in routes() if r.is_api for method in r.scopes}
    assert wanted <= offered
