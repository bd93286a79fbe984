"""Functions as they are kept: configuration, code, tags and policy."""

from __future__ import annotations

import base64
import json
import re
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from boostline.contracts.archives import ArchiveError, Limits, unpack
from boostline.local.platform import Platform
from boostline.local.services.lambda_ import runtime
from boostline.local.store.objects import NoSuchBucket, NoSuchKey
from boostline.local.store.resources import Exists, Missing
from boostline.local.wire.errors import AwsError

KIND = "lambda.function"
Document = dict[str, Any]

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
UNZIPPED = 262_144_000
ZIPPED = 52_428_800
VARIABLES = 4_096

SETTINGS = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "PackageType": "Zip",
    "Architectures": ["x86_64"],
    "EphemeralStorage": {"Size": 512},
    "TracingConfig": {"Mode": "PassThrough"},
}
CHANGEABLE = ("Role", "Handler", "Runtime", "Environment", "LoggingConfig", *SETTINGS)
_NAME = re.compile(r"(?:arn:aws:lambda:[^:]+:)?(?:\d{12}:)?(?:function:)?([\w.-]+)(?::(.+))?")


class Functions:
    """The functions of a platform, with their code unpacked below its folder."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._folder = platform.folder / "functions"
        self._cache: dict[str, Document] = {}
        self._unpacking = threading.Lock()

    def sweep(self) -> None:
        """Remove what an earlier run left: scratch folders, and code that no function has."""
        used = {document["Code"] for document in self.list()}
        for folder in self._folder.glob("*"):
            if folder.name not in used:
                shutil.rmtree(folder, ignore_errors=True)

    def list(self) -> list[Document]:
        """Return all functions by name."""
        documents = self._platform.resources.list(KIND)
        return sorted(documents, key=lambda each: str(each["Configuration"]["FunctionName"]))

    def get(self, reference: str, qualifier: str | None = None) -> Document:
        """Return a function by name, partial or full ARN."""
        name = self._name(reference, qualifier)
        cache = self._cache  # a change while this one is read puts another in its place
        if name not in cache:
            found = self._platform.resources.find(KIND, name)
            if found is None:
                raise self._unknown(name)
            cache[name] = found
        return cache[name]

    def create(self, request: Mapping[str, Any]) -> Document:
        """Make a function from a CreateFunction request."""
        name = self._name(request["FunctionName"], None)
        _check_supported(request, {"FunctionName", "Code", "Publish", "Tags", *CHANGEABLE})
        for required in ("Runtime", "Handler"):
            if required not in request:
                raise invalid(
                    f"{required} is mandatory for functions created with deployment packages."
                )
        configuration: Document = {
            "FunctionName": name,
            "FunctionArn": self._platform.arn("lambda", f"function:{name}"),
            "Version": "$LATEST",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            **SETTINGS,
        }
        _configure(configuration, request)
        document: Document = {
            "Configuration": configuration,
            "Tags": request.get("Tags", {}),
            "Policy": [],
        }
        self._set_code(document, request["Code"])
        _touch(document)
        try:
            self._platform.resources.create(KIND, name, document)
        except Exists:
            raise AwsError(
                "ResourceConflictException", f"Function already exist: {name}", 409, Type="User"
            ) from None
        return document

    def configure(self, request: Mapping[str, Any]) -> Document:
        """Change a function's configuration."""
        _check_supported(request, {"FunctionName", "RevisionId", *CHANGEABLE})

        def change(document: Document) -> None:
            _configure(document["Configuration"], request)
            _touch(document)

        return self.change(request["FunctionName"], request.get("RevisionId"), change)

    def replace_code(self, request: Mapping[str, Any]) -> Document:
        """Change a function's code; with `DryRun`, only say what would be."""
        code = {"ZipFile", "S3Bucket", "S3Key"}
        _check_supported(
            request, {"FunctionName", "RevisionId", "DryRun", "Publish", "Architectures", *code}
        )

        def change(document: Document) -> None:
            _configure(
                document["Configuration"], {k: request[k] for k in request if k == "Architectures"}
            )
            self._set_code(document, request)
            _touch(document)

        if request.get("DryRun"):
            document = json.loads(json.dumps(self.get(request["FunctionName"])))
            change(document)
            return dict(document)
        return self.change(request["FunctionName"], request.get("RevisionId"), change)

    def change(
        self, reference: str, revision: str | None, change: Callable[[Document], None]
    ) -> Document:
        """Let `change` edit a function, if it still has the revision that the caller knows."""
        name = self._name(reference, None)

        def edit(document: Document) -> None:
            if revision not in (None, document["Configuration"]["RevisionId"]):
                raise AwsError(
                    "PreconditionFailedException",
                    "The Revision Id provided does not match the latest Revision Id. "
                    "Call the GetFunction API to retrieve the latest Revision Id",
                    412,
                    Type="User",
                )
            change(document)

        try:
            document = self._platform.resources.change(KIND, name, edit)
        except Missing:
            raise self._unknown(name) from None
        self._cache = {}
        return document

    def delete(self, document: Document) -> None:
        """Remove a function; its code stays for workers that still run it."""
        name = document["Configuration"]["FunctionName"]
        try:
            self._platform.resources.delete(KIND, name)
        except Missing:
            raise self._unknown(name) from None
        self._cache = {}

    def code(self, document: Document) -> Path:
        """Return the folder with a function's unpacked code."""
        return self._unpacked(document["Code"])

    def _set_code(self, document: Document, request: Mapping[str, Any]) -> None:
        digest, size = self._code_of(request)
        self._unpacked(digest)
        document["Code"] = digest
        document["Configuration"]["CodeSize"] = size
        encoded = base64.b64encode(bytes.fromhex(digest)).decode()
        document["Configuration"]["CodeSha256"] = encoded

    def _code_of(self, request: Mapping[str, Any]) -> tuple[str, int]:
        if "ImageUri" in request:
            raise invalid("the local platform runs functions from zip files, not from images")
        if "ZipFile" in request:
            if len(request["ZipFile"]) > ZIPPED:
                message = f"Request must be smaller than {ZIPPED} bytes: put the zip file in S3"
                raise AwsError("RequestEntityTooLargeException", message, 413)
            blob = self._platform.blobs.write(request["ZipFile"])
            return blob.digest, blob.size
        if "S3Bucket" not in request or "S3Key" not in request:
            raise invalid("Please provide a source for function code.")
        try:
            found = self._platform.objects.get(request["S3Bucket"], request["S3Key"])
        except NoSuchBucket:
            raise invalid(_s3("NoSuchBucket", "The specified bucket does not exist")) from None
        except NoSuchKey:
            raise invalid(_s3("NoSuchKey", "The specified key does not exist.")) from None
        return found.digest, found.size

    def _unpacked(self, digest: str) -> Path:
        folder = self._folder / digest
        with self._unpacking:
            if not folder.exists():
                self._folder.mkdir(exist_ok=True)
                part = Path(tempfile.mkdtemp(dir=self._folder))
                try:
                    unpack(self._platform.blobs.path(digest), part, Limits(size=UNZIPPED))
                    part.rename(folder)
                except ArchiveError as error:
                    shutil.rmtree(part)
                    raise invalid(_bad_zip(error)) from error
        return folder

    def _name(self, reference: str, qualifier: str | None) -> str:
        found = _NAME.fullmatch(reference)
        name, version = found.groups() if found else (reference, None)
        if (version or qualifier or "$LATEST") != "$LATEST":
            raise self._unknown(f"{name}:{version or qualifier}")
        return str(name)

    def _unknown(self, name: str) -> AwsError:
        arn = self._platform.arn("lambda", f"function:{name}")
        message = f"Function not found: {arn}"
        return AwsError("ResourceNotFoundException", message, 404, Type="User")


def invalid(message: str) -> AwsError:
    """Return the error that Lambda answers to most bad requests."""
    return AwsError("InvalidParameterValueException", message, 400, Type="User")


def _check_supported(request: Mapping[str, Any], supported: set[str]) -> None:
    unknown = sorted(request.keys() - supported)
    if unknown:
        raise invalid(
            f"the local platform does not have {', '.join(unknown)} for functions; "
            f"it has {', '.join(sorted(supported))}"
        )
    if request.get("Publish"):
        raise invalid("the local platform has no published versions: leave Publish out")
    if request.get("PackageType", "Zip") != "Zip":
        raise invalid("the local platform runs functions of PackageType Zip, not Image")
    if request.get("Runtime", runtime.NAME) != runtime.NAME:
        raise invalid(
            f"the local platform cannot run {request['Runtime']}: its own Python runs the "
            f"functions, which is {runtime.NAME}. Choose Runtime {runtime.NAME}, or start the "
            "platform with another Python"
        )
    if request.get("LoggingConfig", {}).get("LogFormat", "Text") != "Text":
        raise invalid("the local platform writes function logs with LogFormat Text, not JSON")


def _configure(configuration: Document, request: Mapping[str, Any]) -> None:
    _check_variables(request.get("Environment", {}).get("Variables", {}))
    for name in CHANGEABLE:
        value = request.get(name)
        if name == "LoggingConfig" and value is not None:
            configuration[name] = configuration[name] | value
        elif value is not None:
            configuration[name] = value


def _check_variables(variables: Mapping[str, str]) -> None:
    refusal = (
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided "
    )
    reserved = sorted(runtime.RESERVED & variables.keys())
    if reserved:
        raise invalid(
            f"{refusal}contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    text = json.dumps(variables, separators=(",", ":"))
    if len(text.encode()) > VARIABLES:
        raise invalid(f"{refusal}exceeded the 4KB limit. String measured: {text[:200]}…")


def _touch(document: Document) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
    document["Configuration"] |= {"RevisionId": str(uuid.uuid4()), "LastModified": now}


def _s3(code: str, message: str) -> str:
    return f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"


def _bad_zip(error: ArchiveError) -> str:
    said = "Could not unzip uploaded file. Please check your file, then try to upload again."
    return f"{said} ({error})"
