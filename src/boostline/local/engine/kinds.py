"""The types of steps that ask SageMaker, or a function, for something."""

from __future__ import annotations

from dataclasses import dataclass

from botocore import xform_name

from boostline.contracts import pipeline


@dataclass(frozen=True)
class Kind:
    """What a step of a type asks for.

    Parameters
    ----------
    stem
        Of the operation and its members: `Create<stem>`, `<stem>Name`, `<stem>Arn`.
    member
        Of the step's `Metadata`.
    key
        The arguments that the cache's key covers; a type without any is never cached.
    """

    stem: str
    member: str
    key: tuple[str, ...] = ()

    @property
    def resource(self) -> str:
        """The kind of resource that it makes, and that the step's properties describe."""
        return str(xform_name(self.stem, "-"))


def _job(stem: str, key: str) -> Kind:
    return Kind(f"{stem}Job", f"{stem}Job", tuple(key.split()))


KINDS: dict[type[pipeline.StepUnion], Kind] = {
    pipeline.Processing: _job("Processing", "AppSpecification Environment ProcessingInputs"),
    pipeline.Training: _job(
        "Training",
        "AlgorithmSpecification CheckpointConfig DebugHookConfig DebugRuleConfigurations"
        " Environment HyperParameters InputDataConfig",
    ),
    pipeline.Transform: _job("Transform", "DataProcessing Environment ModelName TransformInput"),
    pipeline.Model: Kind("Model", "Model"),
    pipeline.RegisterModel: Kind("ModelPackage", "RegisterModel"),
    pipeline.Lambda: Kind("Function", "Lambda", ("FunctionArn", "Arguments")),
}
