"""Lambda's operations."""

from __future__ import annotations

import base64
import json
from typing import Any

from boostline.local.platform import Platform
from boostline.local.service import Service
from boostline.local.services.lambda_ import permissions
from boostline.local.services.lambda_.functions import Document, Functions
from boostline.local.services.lambda_.invoker import Invoker, check_payload, new_invocation
from boostline.local.services.lambda_.worker import Outcome
from boostline.local.wire.errors import AwsError


class AccessDenied(Exception):
    """The function's policy does not let this caller invoke it."""


class Lambda(Service):
    """Functions from zip files, each worker an `awslambdaric` process of this Python.

    There is one version, `$LATEST`. An asynchronous invocation is tried up to three times, as on
    AWS, but lives in memory: the platform's end forgets it.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._functions = Functions(platform)
        self._invoker = Invoker(platform, self._functions)

    def start(self) -> None:
        """Clear away what an earlier run left."""
        self._functions.sweep()

    def stop(self) -> None:
        """End all workers."""
        self._invoker.close()

    def create_function(self, request: dict[str, Any]) -> Document:
        """Make a function; it is active at once."""
        return _configuration(self._functions.create(request))

    def get_function(self, request: dict[str, Any]) -> Document:
        """Return configuration and tags; the code has no URL here, so `Location` is left out."""
        document = self._function(request)
        return {
            "Configuration": _configuration(document),
            "Code": {"RepositoryType": "S3"},
            "Tags": document["Tags"],
        }

    def get_function_configuration(self, request: dict[str, Any]) -> Document:
        """Return the configuration."""
        return _configuration(self._function(request))

    def list_functions(self, request: dict[str, Any]) -> Document:
        """Return functions by name, `MaxItems` (50) at a time."""
        found = [_configuration(document) for document in self._functions.list()]
        after = request.get("Marker", "")
        found = [one for one in found if one["FunctionName"] > after]
        page = found[: request.get("MaxItems", 50)]
        more = {"NextMarker": page[-1]["FunctionName"]} if len(page) < len(found) else {}
        return {"Functions": page, **more}

    def update_function_code(self, request: dict[str, Any]) -> Document:
        """Replace the code: later invocations go to new workers."""
        return _configuration(self._functions.replace_code(request))

    def update_function_configuration(self, request: dict[str, Any]) -> Document:
        """Change the configuration: later invocations go to new workers."""
        return _configuration(self._functions.configure(request))

    def delete_function(self, request: dict[str, Any]) -> Document:
        """Remove a function; what runs is let to its end."""
        document = self._function(request)
        self._functions.delete(document)
        self._invoker.retire(document["Configuration"]["FunctionName"])
        return {"StatusCode": 204}

    def add_permission(self, request: dict[str, Any]) -> Document:
        """Add a statement to the function's policy."""
        arn = self._function(request)["Configuration"]["FunctionArn"]
        made = permissions.statement(arn, request)

        def add(document: Document) -> None:
            if any(one["Sid"] == made["Sid"] for one in document["Policy"]):
                raise AwsError(
                    "ResourceConflictException",
                    f"The statement id ({made['Sid']}) provided already exists. Please provide a "
                    "new statement id, or remove the existing statement.",
                    409,
                    Type="User",
                )
            document["Policy"].append(made)

        self._functions.change(request["FunctionName"], None, add)
        return {"Statement": json.dumps(made, separators=(",", ":"))}

    def remove_permission(self, request: dict[str, Any]) -> Document:
        """Remove a statement from the function's policy."""

        def remove(document: Document) -> None:
            kept = [one for one in document["Policy"] if one["Sid"] != request["StatementId"]]
            if len(kept) == len(document["Policy"]):
                raise _not_found(
                    f"Statement {request['StatementId']} is not found in resource policy."
                )
            document["Policy"] = kept

        self._functions.change(request["FunctionName"], None, remove)
        return {}

    def get_policy(self, request: dict[str, Any]) -> Document:
        """Return the function's policy."""
        document = self._function(request)
        if not document["Policy"]:
            raise _not_found("The resource you requested does not exist.")
        policy = {"Version": "2012-10-17", "Id": "default", "Statement": document["Policy"]}
        return {
            "Policy": json.dumps(policy, separators=(",", ":")),
            "RevisionId": document["Configuration"]["RevisionId"],
        }

    async def invoke(self, request: dict[str, Any]) -> Document:
        """Run a function, or leave it to run (`Event`), or only look for it (`DryRun`)."""
        document = self._function(request)
        payload = request.get("Payload") or b"{}"
        kind = request.get("InvocationType", "RequestResponse")
        check_payload(payload, kind)
        if kind == "DryRun":
            return _answer(204)
        invocation = new_invocation(document, payload, context=request.get("ClientContext"))
        if kind == "Event":
            self._invoker.start(document, invocation)
            return _answer(202)
        outcome = await self._invoker.run(document, invocation)
        answer = _answer(200, ExecutedVersion="$LATEST", Payload=outcome.payload)
        if outcome.error:
            answer["FunctionError"] = outcome.error
        if request.get("LogType") == "Tail":
            answer["LogResult"] = base64.b64encode(outcome.log).decode()
        return answer

    async def invoke_for(
        self, service: str, source: str, function: str, payload: bytes, trace: str
    ) -> Outcome:
        """Run a function on behalf of another service, if the function's policy lets it.

        Parameters
        ----------
        service
            The caller, for example `apigateway.amazonaws.com`.
        source
            The ARN on whose behalf it calls.
        function
            The function's ARN.
        payload
            The event.
        trace
            The X-Ray header to go on with.

        Raises
        ------
        AccessDenied
            If no statement of the policy matches.
        AwsError
            If there is no such function, or the event is too large.
        """
        document = self._functions.get(function)
        if not permissions.allows(document["Policy"], service, source):
            raise AccessDenied(f"{service} may not invoke {function} for {source}")
        check_payload(payload, "RequestResponse")
        return await self._invoker.run(document, new_invocation(document, payload, trace=trace))

    def _function(self, request: dict[str, Any]) -> Document:
        return self._functions.get(request["FunctionName"], request.get("Qualifier"))


def _configuration(document: Document) -> Document:
    return dict(document["Configuration"])


def _answer(status: int, **members: Any) -> Document:
    return {"StatusCode": status, "ResponseMetadata": {"HTTPStatusCode": status}, **members}


def _not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, 404, Type="User")
