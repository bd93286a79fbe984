"""What `infra/serving.yaml` deploys: a package, a function's zip, the API's document."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import zipfile

from tests.local.services.hosting_bench import ECHO, serve
from tests.local.services.sagemaker_bench import ROLE, Bench, image

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
# The version that answers, and the feature contract that a deployment was made with.
FUNCTION = """
import json, os, urllib.request
def handler(event, context):
    told = {"endpoint": os.environ["ENDPOINT_NAME"], "path": event["path"], "code": "CODE"}
    return {"statusCode": 200, "body": json.dumps(told)}
"""
# A server that starts once there is a file.
WAITING = """
while not pathlib.Path({ready!r}).exists():
    time.sleep(0.05)
Handler.invoke = lambda self, body: self.answer(200, b"waited")
run()
"""


class Serving(Bench):
    """A bench that puts there what the template's parameters name."""

    def prepare(self) -> None:
        """Make the project's group, and write the server."""
        serve(self, ECHO)
        self.sagemaker.create_model_package_group(ModelPackageGroupName="churn")

    def package(self, name: str, program: str = "serve", status: str = "Approved") -> str:
        """Register a version, and return its ARN."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            member = tarfile.TarInfo("name")
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
        data = self.put(f"models/{name}/model.tar.gz", packed.getvalue())
        container = {"Image": image(program), "ModelDataUrl": data}
        made = self.sagemaker.create_model_package(
            ModelPackageGroupName="churn",
            ModelApprovalStatus=status,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )
        return str(made["ModelPackageArn"])

    def function(self, code: str) -> str:
        """Store a function's zip, and return its key."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for package in ("boostline/", "boostline/gateway/"):
                archive.writestr(f"{package}__init__.py", "")
            source = FUNCTION.replace("CODE", code)
            archive.writestr("boostline/gateway/handler.py", source)
        key = f"churn/{hashlib.sha256(content.getvalue()).hexdigest()}.zip"
        self.put(key, content.getvalue())
        return key

    def document(self, *routes: str) -> str:
        """Store the API's document, and return its URI."""
        uri = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        integration = {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": {"Fn::Sub": f"{uri}${{Function.Arn}}/invocations"},
        }
        operation = {
            "security": [{"api_key": []}],
            "responses": {"200": {"description": "OK"}},
            "x-amazon-apigateway-integration": integration,
        }
        scheme = {"type": "apiKey", "name": "x-api-key", "in": "header"}
        body = {
            "openapi": "3.0.1",
            "info": {"title": "churn", "version": "1"},
            "paths": {route: {"get": operation} for route in routes},
            "components": {"securitySchemes": {"api_key": scheme}},
        }
        content = json.dumps(body).encode()
        return self.put(f"churn/{hashlib.sha256(content).hexdigest()}.json", content)

    def values(self, package: str, code: str = "one", *routes: str) -> dict[str, str]:
        """Return the template's parameters."""
        return {
            "Project": "churn",
            "Stage": "staging",
            "ModelPackageArn": package,
            "ApiDocument": self.document(*(routes or ("/health",))),
            "FunctionKey": self.function(code),
            "FunctionRuntime": RUNTIME,
            "Bucket": "bench",
            "ServingRoleArn": ROLE,
            "FunctionRoleArn": ROLE,
            "BakeSeconds": "0",
        }
