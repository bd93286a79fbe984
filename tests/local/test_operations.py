"""The table of operations and the services' classes agree."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore import xform_name

from boostline.contracts.models import service_model
from boostline.local.operations import SERVICES
from boostline.local.platform import Platform, Settings

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


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    made = Platform(Settings(tmp_path_factory.mktemp("platform")))
    yield made
    made.stop()


@pytest.mark.parametrize("service", SERVICES)
def test_each_declared_operation_is_botocores_and_has_a_handler(
    platform: Platform, service: str
) -> None:
    known = service_model(service).operation_names
    for operation in SERVICES[service].operations:
        assert operation in known
        handler = platform.service(service).handler(operation)
        kinds = [each.kind for each in inspect.signature(handler).parameters.values()]
        positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
        assert kinds == [positional], f"{service}:{operation} takes not just one request"


@pytest.mark.parametrize("service", SERVICES)
def test_each_method_that_is_an_operation_is_declared(platform: Platform, service: str) -> None:
    operations = {xform_name(name): name for name in service_model(service).operation_names}
    methods = inspect.getmembers(platform.service(service), inspect.ismethod)
    offered = {operations[name] for name, _ in methods if name in operations}
    assert offered <= set(SERVICES[service].operations)
