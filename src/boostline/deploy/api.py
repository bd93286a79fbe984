"""The REST API of a stage: where it answers, and with which key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from boostline.project.target import Target


@dataclass(frozen=True)
class RestApi:
    """Where an API answers, and with which key."""

    id: str
    url: str
    key: str


def find(target: Target, outputs: Mapping[str, str]) -> RestApi:
    """Return the API that the outputs of a stage's stack name."""
    key = target.client("apigateway").get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)
    url = outputs["ApiUrl"]
    if target.endpoint is not None:
        # The platform answers for the host that AWS would have.
        url = f"{target.endpoint}/restapis/{outputs['ApiId']}/{url.rpartition('/')[2]}"
    return RestApi(outputs["ApiId"], url, str(key["value"]))
