"""The AWS services' models as botocore carries them: shapes, names, protocols."""

from __future__ import annotations

import functools
from typing import Any, TypeAlias

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape

Operation: TypeAlias = OperationModel
Service: TypeAlias = ServiceModel
AnyShape: TypeAlias = Shape

_loader = Loader()


@functools.cache
def service_model(name: str) -> Service:
    """Return the model of a service, read at its first use.

    Parameters
    ----------
    name
        As boto3 names it, for example `sagemaker-runtime`.

    Raises
    ------
    botocore.exceptions.UnknownServiceError
        If botocore has no such service.
    """
    return ServiceModel(_loader.load_service_model(name, "service-2"), name)


@functools.cache
def paginators(name: str) -> dict[str, dict[str, Any]]:
    """Return how botocore asks for the pages of a service's operations, by their names."""
    found: dict[str, Any] = _loader.load_service_model(name, "paginators-1")
    return dict(found["pagination"])
