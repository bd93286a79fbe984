"""The Lambda function of a stage: the gateway with the feature contract of its version."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from boostline.deploy import bundle
from boostline.project.target import Target

HANDLER = "boostline.gateway.handler.handler"
AWS_PYTHON = "3.12"
TIMEOUT_SECONDS = 29  # as long as API Gateway waits
MEMORY_MB = 512


def deploy(
    target: Target, name: str, contract: bytes, variables: dict[str, str], tags: dict[str, str]
) -> str:
    """Create or update the function; return its ARN once it is active."""
    client = target.client("lambda")
    python = AWS_PYTHON if target.name == "aws" else ".".join(map(str, sys.version_info[:2]))
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "function.zip")
        source = bundle.LOCKED if target.name == "aws" else bundle.INSTALLED
        bundle.build(contract, archive, source, python)
        code = archive.read_bytes()
    settings: dict[str, Any] = {
        "FunctionName": name,
        "Runtime": f"python{python}",
        "Handler": HANDLER,
        "Role": target.role,
        "Timeout": TIMEOUT_SECONDS,
        "MemorySize": MEMORY_MB,
        "Environment": {"Variables": variables},
    }
    try:
        client.create_function(**settings, Code={"ZipFile": code}, Tags=tags)
    except client.exceptions.ResourceConflictException:
        client.update_function_configuration(**settings)
        client.get_waiter("function_updated_v2").wait(FunctionName=name)
        client.update_function_code(FunctionName=name, ZipFile=code)
        client.get_waiter("function_updated_v2").wait(FunctionName=name)
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    found = client.get_function_configuration(FunctionName=name)
    return str(found["FunctionArn"])


def allow_api(target: Target, function: str, api: str) -> None:
    """Let a REST API call the function; harmless if it may already."""
    client = target.client("lambda")
    try:
        client.add_permission(
            FunctionName=function,
            StatementId=f"api-{api}",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{target.region}:{target.account}:{api}/*/*",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceConflictException":
            raise
