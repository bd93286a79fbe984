"""The types of steps that ask SageMaker, or a function, for something."""

from __future__ import annotations

from dataclasses import dataclass

from boostline.contracts.pipeline import (
    Lambda,
    Model,
    Processing,
    RegisterModel,
    StepUnion,
    Training,
    Transform,
)


@dataclass(frozen=True)
class Kind:
    """What a step of a type asks for.

    Parameters
    ----------
    stem
        Of the operation and its members: `Create<stem>`, `<stem>Name`, `<stem>Arn`.
    resource
        The kind of resource that it makes, and that the step's properties describe.
    key
        The arguments that the cache's key covers; a type without any is never cached.
    metadata
        The member of the step's `Metadata`, where it is not the stem.
    """

    stem: str
    resource: str
    key: tuple[str, ...] = ()
    metadata: str = ""

    @property
    def member(self) -> str:
        """The member of the step's `Metadata`."""
        return self.metadata or self.stem


KINDS: dict[type[StepUnion], Kind] = {
    Processing: Kind(
        "ProcessingJob", "processing-job", ("AppSpecification", "Environment", "ProcessingInputs")
    ),
    Training: Kind(
        "TrainingJob",
        "training-job",
        (
            "AlgorithmSpecification",
            "CheckpointConfig",
            "DebugHookConfig",
            "DebugRuleConfigurations",
            "Environment",
            "HyperParameters",
            "InputDataConfig",
        ),
    ),
    Transform: Kind(
        "TransformJob",
        "transform-job",
        ("DataProcessing", "Environment", "ModelName", "TransformInput"),
    ),
    Model: Kind("Model", "model"),
    RegisterModel: Kind("ModelPackage", "model-package", metadata="RegisterModel"),
    Lambda: Kind("Function", "function", ("FunctionArn", "Arguments"), metadata="Lambda"),
}
