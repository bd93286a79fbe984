from __future__ import annotations

import base64
import hashlib
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from boostline.deploy.bundle import INSTALLED, LOCKED, BundleError, build
from boostline.features.contract import FeatureContract
from tests.conftest import RunningPlatform

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_the_zip_holds_what_the_handler_needs(tmp_path: Path, contract: FeatureContract) -> None:
    archive = tmp_path / "gateway.zip"
    digest = build(contract.to_json(), archive, INSTALLED, PYTHON)
    assert digest == hashlib.sha256(archive.read_bytes()).hexdigest()
    with zipfile.ZipFile(archive) as packed:
        names = set(packed.namelist())
        assert packed.read("contract.json") == contract.to_json()
    assert {"boostline/gateway/handler.py", "boostline/features/record.py"} < names
    assert "msgspec/__init__.py" in names
    ours = {name.split("/")[1] for name in names if name.startswith("boostline/")}
    assert ours == {"__init__.py", "features", "gateway"}
    assert not {"boostline/deploy/bundle.py", "boostline/features/table.py"} & names


def test_equal_inputs_give_equal_bytes(tmp_path: Path, contract: FeatureContract) -> None:
    digests = {
        build(contract.to_json(), tmp_path / name, INSTALLED, PYTHON) for name in ("one", "two")
    }
    assert len(digests) == 1
    assert build(b"{}", tmp_path / "three", INSTALLED, PYTHON) not in digests


def test_installed_code_is_for_this_python_only(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"wants 3\.99"):
        build(b"{}", tmp_path / "a.zip", INSTALLED, "3.99")


def test_what_is_not_installed_is_named(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("no-such-thing==1.0\n")
    with pytest.raises(BundleError, match="no-such-thing is not installed"):
        build(b"{}", tmp_path / "a.zip", INSTALLED, PYTHON, requirements)


def wheel(folder: Path) -> Path:
    """Write a wheel of one module."""
    path = folder / "tiny_thing-1.0-py3-none-any.whl"
    info = "tiny_thing-1.0.dist-info"
    files = {
        "tiny_thing.py": "value = 1\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
            sha256 = hashlib.sha256(text.encode()).digest()
            encoded = base64.urlsafe_b64encode(sha256).decode().rstrip("=")
            record += f"{name},sha256={encoded},{len(text)}\n"
        packed.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return path


def test_locked_wheels_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    requirements = tmp_path / "requirements.txt"
    digest = hashlib.sha256(wheel(tmp_path).read_bytes()).hexdigest()
    requirements.write_text(f"tiny-thing==1.0 --hash=sha256:{digest}\n")
    archive = tmp_path / "gateway.zip"
    build(b"{}", archive, LOCKED, "3.12", requirements)
    with zipfile.ZipFile(archive) as packed:
        assert packed.read("tiny_thing.py") == b"value = 1\n"
    requirements.write_text(f"tiny-thing==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(BundleError, match="DO NOT MATCH"):
        build(b"{}", archive, LOCKED, "3.12", requirements)


class Function:
    """The gateway on the platform; `log` has the lines of the last call."""

    def __init__(self, platform: RunningPlatform, contract: FeatureContract) -> None:
        archive = platform.settings.folder / "gateway.zip"
        build(contract.to_json(), archive, INSTALLED, PYTHON)
        self._client = platform.client("lambda")
        self._client.create_function(
            FunctionName="gateway",
            Runtime=f"python{PYTHON}",
            Role="arn:aws:iam::000000000000:role/gateway",
            Handler="boostline.gateway.handler.handler",
            Timeout=29,
            Environment={"Variables": {"ENDPOINT_NAME": "churn--staging"}},
            Code={"ZipFile": archive.read_bytes()},
        )
        self.log: list[dict[str, Any]] = []

    def __call__(self, method: str, resource: str, body: object = None) -> tuple[int, Any]:
        event = {
            "httpMethod": method,
            "resource": resource,
            "body": json.dumps(body),
            "requestContext": {"requestId": "request-1"},
        }
        answer = self._client.invoke(
            FunctionName="gateway", Payload=json.dumps(event).encode(), LogType="Tail"
        )
        lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
        self.log = [json.loads(line) for line in lines if line.startswith("{")]
        payload = json.loads(answer["Payload"].read())
        return payload["statusCode"], json.loads(payload["body"])


def test_lambda_runs_it(platform: RunningPlatform, contract: FeatureContract) -> None:
    call = Function(platform, contract)
    assert call("GET", "/health") == (200, {"status": "ok", "features": contract.digest})
    status, body = call("POST", "/predict", {"day": 1, "eve": 2, "plan": "sometimes"})
    assert (status, [each["field"] for each in body["error"]["fields"]]) == (400, ["plan"])
    status, body = call("POST", "/predict", {"day": 1, "eve": 2, "plan": "yes"})
    assert (status, body["error"]["message"]) == (503, "there is no endpoint to answer")
    assert call("POST", "/predict/batch", [{"day": 1}])[1]["predictions"][0]["error"]["fields"]


def test_lambda_s_log_has_lines_and_metrics(
    platform: RunningPlatform, contract: FeatureContract
) -> None:
    call = Function(platform, contract)
    call("GET", "/health")
    line, metrics = call.log
    assert (line["service"], line["stage"]) == (metrics["service"], metrics["stage"])
    assert (line["service"], line["stage"]) == ("churn", "staging")
    assert (line["correlation_id"], line["cold_start"]) == ("request-1", True)
    assert metrics["Requests"] == [1.0]
    call("GET", "/health")
    assert call.log[0]["cold_start"] is False


@pytest.mark.parametrize("python", ["3.12", "3.13"])
def test_the_zip_for_aws_is_small(tmp_path: Path, contract: FeatureContract, python: str) -> None:
    """Fifteen megabytes are allowed; the runtime's own SDK is not among them."""
    archive = tmp_path / "gateway.zip"
    try:
        build(contract.to_json(), archive, LOCKED, python)
    except BundleError:  # no package index: what is installed here is as large
        build(contract.to_json(), archive, INSTALLED, PYTHON)
    with zipfile.ZipFile(archive) as packed:
        tops = {name.split("/")[0] for name in packed.namelist()}
    assert archive.stat().st_size < 15_000_000
    assert {"boostline", "aws_lambda_powertools", "aws_xray_sdk", "msgspec"} < tops
    assert not {"boto3", "botocore", "urllib3", "numpy"} & tops
