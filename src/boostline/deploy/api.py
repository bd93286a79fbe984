"""The REST API of a stage: where it answers, and with which key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from boostline.contracts.errors import BoostlineError
from boostline.project.target import Target


@dataclass(frozen=True)
class RestApi:
    """Where an API answers, and with which key."""

    id: str
    url: str
    key: str


def find(target: Target, outputs: Mapping[str, str]) -> RestApi:
    """Return the API that the outputs of a stage's stack name.

    Raises
    ------
    BoostlineError
        If its key is not there any more.
    """
    client = target.client("apigateway")
    try:
        key = client.get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
        raise BoostlineError(
            f"API key {outputs['ApiKeyId']}, which {outputs['ApiUrl']} asks for, is removed: after "
            "`boostline destroy`, `boostline deploy` makes the stage anew, with another key"
        ) from None
    url = outputs["ApiUrl"]
    if target.endpoint is not None:
        # The platform answers for the host that AWS would have.
        url = f"{target.endpoint}/restapis/{outputs['ApiId']}/{url.rpartition('/')[2]}"
    return RestApi(outputs["ApiId"], url, str(key["value"]))
