"""What can be said of a definition before it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from boostline.contracts.pipeline import Lambda, PipelineDefinition
from boostline.contracts.strict import message, problems
from boostline.local.engine.kinds import KINDS
from boostline.local.engine.values import Resolver
from boostline.local.store.resources import Document
from boostline.local.wire.errors import invalid

LATER = "s3://set-later/x"  # stands for what is not known yet: it fits the patterns of URIs
SHAPES = ("structure", "list", "map")


def check(
    definition: PipelineDefinition,
    parameters: dict[str, Any],
    checks: Mapping[str, Callable[[Document], list[str]]],
) -> None:
    """Refuse what is bound to fail: requests are looked at as far as their values are known.

    `parameters` are those of the pipeline that are known, `checks` return all that the platform
    itself refuses, by the kind of resource. The `AwsError` names the step and the reasons.
    """
    resolver = Known(parameters, {}, lambda _: {}, {}, lambda _: b"")
    for step, _ in definition.walk():
        kind = KINDS.get(type(step))
        if kind is None or isinstance(step, Lambda):
            continue
        name = {} if kind.stem == "ModelPackage" else {f"{kind.stem}Name": "name"}
        request = {**resolver.resolve(step.arguments), **name}
        found = problems("sagemaker", f"Create{kind.stem}", request)
        if known := _known(found):
            raise invalid(f"step {step.name}: Create{kind.stem}: {message(known)}")
        if kind.resource not in checks or any(p.endswith(SHAPES) for p in found):
            continue
        if refused := _known(checks[kind.resource](request)):
            raise invalid(f"step {step.name}: {'; '.join(refused)}")


def _known(problems: list[str]) -> list[str]:
    """Return the problems that no value of later can mend."""
    return [problem for problem in problems if LATER not in problem]


class Known(Resolver):
    """A resolver that has `LATER` for what is not known yet."""

    def _get(self, reference: str) -> Any:
        root, _, name = reference.partition(".")
        return self.parameters.get(name, LATER) if root == "Parameters" else LATER

    def _json_get(self, _: Any) -> Any:
        return LATER
