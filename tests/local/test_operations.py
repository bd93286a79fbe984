"""The table of operations and the services' classes agree."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest
from botocore import xform_name

from boostline.contracts.models import service_model
from boostline.local.operations import SERVICES
from boostline.local.service import Service

DOCUMENT = Path(__file__).parents[2] / "docs" / "platform.md"


def test_the_document_has_the_table() -> None:
    rows = [
        f"| `{service}` | {len(entry.operations)} | {', '.join(sorted(entry.operations))} |"
        for service, entry in SERVICES.items()
    ]
    table = "\n".join(["| service | | operations |", "| --- | --- | --- |", *rows])
    _, _, rest = DOCUMENT.read_text().partition("<!-- operations -->\n")
    written, _, _ = rest.partition("\n<!-- end of operations -->")
    assert written == table, f"between the marks in {DOCUMENT} should stand:\n{table}"


def handler(service: str) -> type[Service]:
    module, _, name = SERVICES[service].handler.partition(":")
    found: type[Service] = getattr(importlib.import_module(module), name)
    assert issubclass(found, Service)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_each_declared_operation_is_botocores_and_has_a_handler(service: str) -> None:
    known = service_model(service).operation_names
    for operation in SERVICES[service].operations:
        assert operation in known
        method = getattr(handler(service), xform_name(operation))
        kinds = [each.kind for each in inspect.signature(method).parameters.values()]
        positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
        assert kinds == [positional] * 2, f"{service}:{operation} takes not just one request"


@pytest.mark.parametrize("service", SERVICES)
def test_each_method_that_is_an_operation_is_declared(service: str) -> None:
    operations = {xform_name(name): name for name in service_model(service).operation_names}
    public = {name for name, _ in inspect.getmembers(handler(service), inspect.isfunction)}
    offered = {operations[name] for name in public & operations.keys()}
    assert offered == set(SERVICES[service].operations)
