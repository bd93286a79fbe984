"""What Lambda imports: `boostline.gateway.handler.handler`.

The work of a cold start happens here, at import, where Lambda gives it time and does not count it
to a request. `contract.json` lies at the root of the zip; `ENDPOINT_NAME` names the endpoint, as
`<project>--<stage>`.
"""

from __future__ import annotations

import os
from pathlib import Path

from boostline.features.contract import FeatureContract
from boostline.gateway.app import Gateway
from boostline.gateway.endpoint import Endpoint
from boostline.gateway.telemetry import Telemetry

CONTRACT = "contract.json"

_folder = Path(os.environ["LAMBDA_TASK_ROOT"])
_endpoint = os.environ["ENDPOINT_NAME"]
_project, _, _stage = _endpoint.rpartition("--")
_gateway = Gateway(
    FeatureContract.from_json((_folder / CONTRACT).read_bytes()),
    Endpoint(_endpoint),
    Telemetry(_project or _endpoint, _stage),
)

handler = _gateway.handle
