from __future__ import annotations

import pytest
from botocore.exceptions import UnknownServiceError

from boostline.contracts.models import service_model


def test_a_model_is_read_once_and_is_botocores() -> None:
    model = service_model("sagemaker-runtime")
    assert model is service_model("sagemaker-runtime")
    assert "EndpointName" in model.operation_model("InvokeEndpoint").input_shape.required_members
    with pytest.raises(UnknownServiceError):
        service_model("no-such-service")
