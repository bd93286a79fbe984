from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Iterator

import pytest
import urllib3

from benchmarks.stage import Stage, post
from boostline.features.contract import FeatureContract
from tests.conftest import RunningPlatform

RECORD = {"day": 1, "eve": 2, "plan": "yes"}


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    """Listen where the daemon of X-Ray would."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(20)
        yield made


def test_a_sampled_request_is_traced(
    platform: RunningPlatform, contract: FeatureContract, daemon: socket.socket
) -> None:
    """The documents hold the gateway's work, and in it the call of the endpoint."""
    stage = Stage(platform.client, platform.endpoint)
    address = f"127.0.0.1:{daemon.getsockname()[1]}"
    stage.function(contract, AWS_XRAY_DAEMON_ADDRESS=address)
    url, http = f"{stage.route()}/predict", urllib3.PoolManager(retries=False)
    traces = [f"1-{int(time.time()):08x}-{secrets.token_hex(12)}" for _ in range(2)]
    for trace, sampled in zip(traces, "01", strict=True):
        header = f"Root={trace};Parent={secrets.token_hex(8)};Sampled={sampled}"
        status, answer = post(http, url, RECORD, **{"x-amzn-trace-id": header})
        assert (status, answer["error"]["code"]) == (503, "unavailable")
    found = [json.loads(daemon.recv(65_536).partition(b"\n")[2]) for _ in range(2)]
    call, gateway = sorted(found, key=lambda each: str(each["name"] == "gateway"))
    assert {each["trace_id"] for each in found} == {traces[1]}
    assert gateway["annotations"]["error"] == "unavailable"
    assert call["parent_id"] == gateway["id"]
    assert call["aws"]["operation"] == "InvokeEndpoint"
    http.clear()
