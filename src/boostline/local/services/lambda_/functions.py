"""Functions as they are kept: configuration, code, tags and policy."""

from __future__ import annotations

import base64
import json
import operator
import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from boostline.contracts.archives import ArchiveError, Limits, unpack
from boostline.local.folders import whole
from boostline.local.platform import Platform
from boostline.local.service import Service
from boostline.local.services.lambda_ import permissions, runtime
from boostline.local.services.lambda_.errors import invalid, refusal, refuse_others, too_large
from boostline.local.store.objects import NoSuchBucket, NoSuchKey
from boostline.local.store.resources import Document, Exists, Missing

KIND = "lambda.function"

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
UNZIPPED = 262_144_000
ZIPPED = 52_428_800
VARIABLES = 4_096

DEFAULTS = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "EphemeralStorage": {"Size": 512},
    "TracingConfig": {"Mode": "PassThrough"},
}
CODE = {"ZipFile", "S3Bucket", "S3Key"}
# A network and a key are kept and shown, and have no effect.
CHANGEABLE = {"Role", "Handler", "Runtime", "Environment", "VpcConfig", "KMSKeyArn", *DEFAULTS}
AT_FIRST = {"FunctionName", "Code", "Tags", "Architectures", "PackageType", *CHANGEABLE}
_NAME = re.compile(r"(?:arn:aws:lambda:[^:]+:)?(?:\d{12}:)?(?:function:)?([\w.-]+)(?::(.+))?")


class Functions(Service):
    """The operations on functions, whose code lies unpacked below the platform's folder.

    There is one version, `$LATEST`.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._folder = platform.folder / "functions"
        self._cache: dict[str, Document] = {}

    def start(self) -> None:
        """Remove what an earlier run left: scratch folders, and code that no function has."""
        documents = self.platform.resources.list(KIND)
        used = {self._code_folder(document["Configuration"]) for document in documents}
        for folder in self._folder.glob("*"):
            if folder not in used:
                shutil.rmtree(folder, ignore_errors=True)

    def create_function(self, request: dict[str, Any]) -> Document:
        """Make a function; it is active at once."""
        name = name_of(request["FunctionName"])
        refuse_others(request, AT_FIRST)
        settings = _settings(request)
        code = self._code(request["Code"])
        if missing := [name for name in ("Runtime", "Handler") if name not in request]:
            raise invalid(f"{' and '.join(missing)} is mandatory for functions from zip files")
        configuration = {
            "FunctionName": name,
            "FunctionArn": self.platform.arn("lambda", f"function:{name}"),
            "Version": "$LATEST",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
            "Architectures": request.get("Architectures", ["x86_64"]),
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            **DEFAULTS,
            **settings,
            **code,
            **_revision(),
        }
        document = {
            "Configuration": configuration,
            "Code": {"RepositoryType": "S3"},  # without Location: it has no URL here
            "Tags": request.get("Tags", {}),
            "Policy": [],
        }
        try:
            self.platform.resources.create(KIND, name, document)
        except Exists:
            message = f"Function already exist: {name}"
            raise refusal("ResourceConflictException", message) from None
        return configuration

    def get_function(self, request: dict[str, Any]) -> Document:
        """Return configuration and tags."""
        return self._function(request["FunctionName"], request.get("Qualifier"))

    def get_function_configuration(self, request: dict[str, Any]) -> Document:
        """Return the configuration."""
        return dict(self.get_function(request)["Configuration"])

    def list_functions(self, _: dict[str, Any]) -> Document:
        """Return functions by name."""
        found = [document["Configuration"] for document in self.platform.resources.list(KIND)]
        return {"Functions": sorted(found, key=operator.itemgetter("FunctionName"))}

    def update_function_code(self, request: dict[str, Any]) -> Document:
        """Replace the code: later invocations go to new workers."""
        return self._configure(request["FunctionName"], self._code(request))

    def update_function_configuration(self, request: dict[str, Any]) -> Document:
        """Change the configuration: later invocations go to new workers."""
        refuse_others(request, {"FunctionName", *CHANGEABLE})
        return self._configure(request["FunctionName"], _settings(request))

    def put_function_concurrency(self, request: dict[str, Any]) -> Document:
        """Set how many invocations of the function may run at once."""
        kept = {"ReservedConcurrentExecutions": request["ReservedConcurrentExecutions"]}
        self._change(name_of(request["FunctionName"]), lambda found: found.update(Concurrency=kept))
        return kept

    def delete_function_concurrency(self, request: dict[str, Any]) -> None:
        """Let as many invocations run at once as the account has left."""
        self._change(name_of(request["FunctionName"]), lambda found: found.pop("Concurrency", None))

    def delete_function(self, request: dict[str, Any]) -> Document:
        """Remove a function; its code stays for workers that still run it."""
        name = name_of(request["FunctionName"], request.get("Qualifier"))
        try:
            self.platform.resources.delete(KIND, name)
        except Missing:
            raise self._unknown(name) from None
        self._cache = {}
        return {"StatusCode": 204}

    def add_permission(self, request: dict[str, Any]) -> Document:
        """Add a statement to the function's policy."""
        name = name_of(request["FunctionName"], request.get("Qualifier"))
        arn = self.platform.arn("lambda", f"function:{name}")
        made = permissions.statement(arn, request)

        def add(document: Document) -> None:
            if any(one["Sid"] == made["Sid"] for one in document["Policy"]):
                message = f"The statement id ({made['Sid']}) provided already exists."
                raise refusal("ResourceConflictException", message)
            document["Policy"].append(made)

        self._change(name, add)
        return {"Statement": json.dumps(made, separators=(",", ":"))}

    def remove_permission(self, request: dict[str, Any]) -> None:
        """Remove a statement from the function's policy."""

        def remove(document: Document) -> None:
            kept = [one for one in document["Policy"] if one["Sid"] != request["StatementId"]]
            if len(kept) == len(document["Policy"]):
                message = f"Statement {request['StatementId']} is not found in resource policy."
                raise refusal("ResourceNotFoundException", message)
            document["Policy"] = kept

        self._change(name_of(request["FunctionName"], request.get("Qualifier")), remove)

    def _function(self, reference: str, qualifier: str | None = None) -> Document:
        """Return a function by name, partial or full ARN."""
        name = name_of(reference, qualifier)
        cache = self._cache  # a change while this one is read puts another in its place
        if name not in cache:
            found = self.platform.resources.find(KIND, name)
            if found is None:
                raise self._unknown(name)
            cache[name] = found
        return cache[name]

    def _configure(self, reference: str, settings: Document) -> Document:
        def configure(document: Document) -> None:
            document["Configuration"] |= {**settings, **_revision()}

        return dict(self._change(name_of(reference), configure)["Configuration"])

    def _change(self, name: str, change: Callable[[Document], None]) -> Document:
        try:
            document = self.platform.resources.change(KIND, name, change)
        except Missing:
            raise self._unknown(name) from None
        self._cache = {}
        return document

    def _unknown(self, name: str) -> Exception:
        arn = self.platform.arn("lambda", f"function:{name}")
        return refusal("ResourceNotFoundException", f"Function not found: {arn}")

    def _code_folder(self, configuration: Document) -> Path:
        return self._folder / base64.b64decode(configuration["CodeSha256"]).hex()

    def _code(self, request: Mapping[str, Any]) -> Document:
        """Unpack a zip file, and return what a configuration says of it."""
        digest, size = self._zip_file(request)
        code = {"CodeSha256": base64.b64encode(bytes.fromhex(digest)).decode(), "CodeSize": size}
        archive, limits = self.platform.blobs.path(digest), Limits(size=UNZIPPED)
        try:
            whole(self._code_folder(code), lambda folder: unpack(archive, folder, limits))
        except ArchiveError as error:
            why = str(error).removeprefix(f"{archive}: ")  # where the platform keeps it is its own
            raise invalid(f"Could not unzip uploaded file: {why}") from error
        return code

    def _zip_file(self, request: Mapping[str, Any]) -> tuple[str, int]:
        """Return digest and size of a request's zip file."""
        refuse_others(request, {"FunctionName", *CODE})
        if "ZipFile" in request:
            if len(request["ZipFile"]) > ZIPPED:
                raise too_large(
                    f"Request must be smaller than {ZIPPED} bytes: put the zip file in S3"
                )
            blob = self.platform.blobs.write(request["ZipFile"])
            return blob.digest, blob.size
        if "S3Bucket" not in request or "S3Key" not in request:
            raise invalid("Please provide a source for function code.")
        try:
            found = self.platform.objects.get(request["S3Bucket"], request["S3Key"])
        except (NoSuchBucket, NoSuchKey) as error:
            code = type(error).__name__
            raise invalid(f"Error occurred while GetObject. S3 Error Code: {code}.") from None
        return found.digest, found.size


def name_of(reference: str, qualifier: str | None = None) -> str:
    """Return the name of a function from its name, partial or full ARN; refuse other versions."""
    found = _NAME.fullmatch(reference)
    name, version = found.groups() if found else (reference, None)
    version = version or qualifier or "$LATEST"
    if version != "$LATEST":
        message = f"Function not found: {name}:{version}: the local platform has only $LATEST"
        raise refusal("ResourceNotFoundException", message)
    return str(name)


def _settings(request: Mapping[str, Any]) -> Document:
    """Return what a request changes of a configuration."""
    if request.get("Runtime", runtime.NAME) != runtime.NAME:
        raise invalid(
            f"the local platform cannot run {request['Runtime']}: its own Python runs the "
            f"functions, which is {runtime.NAME}. Choose Runtime {runtime.NAME}, or start the "
            "platform with another Python"
        )
    _check_variables(request.get("Environment", {}).get("Variables", {}))
    return {name: request[name] for name in sorted(CHANGEABLE & request.keys())}


def _check_variables(variables: Mapping[str, str]) -> None:
    refused = "Lambda was unable to configure your environment variables because they "
    if reserved := sorted(runtime.RESERVED & variables.keys()):
        raise invalid(f"{refused}contain reserved keys: {', '.join(reserved)}")
    if len(json.dumps(variables, separators=(",", ":")).encode()) > VARIABLES:
        raise invalid(f"{refused}exceed the 4KB limit")


def _revision() -> Document:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
    return {"RevisionId": str(uuid.uuid4()), "LastModified": now}
