"""The service, put together from its parts."""

from __future__ import annotations

from boostline.local.engine.execution import Executions
from boostline.local.engine.jobs import PROCESSING, TRAINING, Jobs
from boostline.local.hosting.endpoints import Endpoints
from boostline.local.hosting.transform import TRANSFORM
from boostline.local.platform import Platform
from boostline.local.services.sagemaker.endpoints import EndpointOperations
from boostline.local.services.sagemaker.models import ModelOperations
from boostline.local.services.sagemaker.pipelines import PipelineOperations
from boostline.local.services.sagemaker.search import SearchOperations
from boostline.local.services.sagemaker.tags import TagOperations
from boostline.local.services.sagemaker.transform import TransformOperations


class SageMaker(
    PipelineOperations,
    ModelOperations,
    EndpointOperations,
    TransformOperations,
    SearchOperations,
    TagOperations,
):
    """Amazon SageMaker; jobs come with transform jobs, the registry with the models."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.jobs = Jobs(platform, (TRAINING, PROCESSING, TRANSFORM))
        self.executions = Executions(platform, self.jobs)
        self.endpoints = Endpoints(platform)

    def start(self) -> None:
        """End orphans, then take up jobs, executions and endpoints."""
        self.platform.runner.end_left_over()
        self.jobs.resume()
        self.executions.resume()
        self.endpoints.resume()

    def stop(self) -> None:
        """End all programs; what was running is taken up at the next start."""
        self.executions.close()
        self.endpoints.close()
        self.platform.runner.close()
