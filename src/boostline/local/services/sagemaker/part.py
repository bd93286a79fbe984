"""What the parts of the service share: kinds of resources, and what the platform has of them."""

from __future__ import annotations

import functools
import operator
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from botocore import xform_name

from boostline.contracts.models import service_model
from boostline.local.engine.paths import places
from boostline.local.runners.base import RunnerError
from boostline.local.service import Service
from boostline.local.store.resources import Document, Exists
from boostline.local.wire.errors import AwsError, invalid

Operation: TypeAlias = Callable[[Any, Document], Document]
# What may lie at a path, None if nothing need be there; or what refuses it, or an empty text for
# nothing, by a ValueError.
Rules: TypeAlias = dict[str, tuple[Any, ...] | Callable[[Any], Any]]
SIDES = {"After": operator.gt, "Before": operator.lt}
# Filter → the document's member, or what follows the kind's stem in it; the test.
FILTERS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "NameContains": ("Name", lambda found, asked: asked.lower() in found.lower()),
    "PipelineNamePrefix": ("Name", str.startswith),
    "StatusEquals": ("Status", operator.eq),
    "ModelApprovalStatus": ("ModelApprovalStatus", operator.eq),
    **{f"CreationTime{side}": ("CreationTime", test) for side, test in SIDES.items()},
    **{f"Created{side}": ("CreationTime", test) for side, test in SIDES.items()},
    **{f"LastModifiedTime{side}": ("LastModifiedTime", test) for side, test in SIDES.items()},
}


@dataclass(frozen=True)
class Kind:
    """A kind of resource, from which its Describe, List and Delete operations follow.

    Parameters
    ----------
    stem
        Stem of its members and operations: `EndpointConfig` of `EndpointConfigName`, …
    order
        The List operation's `SortOrder` where the caller gives none.
    missing, taken
        What is said of a name that is not there, or not free; `{arn}` and `{name}` are filled in.
    missing_code, taken_code
        The errors' names.
    """

    stem: str
    order: str = "Descending"
    missing: str = 'Could not find {words} "{arn}".'
    taken: str = 'Cannot create already existing {words} "{arn}".'
    missing_code: str = "ValidationException"
    taken_code: str = "ValidationException"

    @property
    def kind(self) -> str:
        """Its name among the resources and in ARNs, for example `endpoint-config`."""
        return str(xform_name(self.stem, "-"))

    def refusal(self, code: str, text: str, name: str, arn: str) -> AwsError:
        """Return what is said of a resource."""
        return AwsError(code, text.format(words=self.kind.replace("-", " "), name=name, arn=arn))

    def member(self, key: str) -> str:
        """Return the document's member for a filter's or an order's key."""
        return f"{self.stem}{key}" if key in ("Name", "Status") else key

    def ordered(self, documents: Iterable[Document], request: Document) -> list[Document]:
        """Return the documents that a request asks for.

        `documents` come oldest first; equal keys keep that order.
        """
        found = [document for document in documents if self._passes(document, request)]
        key = self.member(request.get("SortBy", "CreationTime"))
        try:
            found.sort(key=lambda document: document.get(key, 0))
        except TypeError:
            what = "what is found has no order by it, or only some of it has it"
            raise invalid(f"SortBy {key}: {what}") from None
        return found[::-1] if request.get("SortOrder", self.order) == "Descending" else found

    def _passes(self, document: Document, request: Document) -> bool:
        return all(
            test(document.get(self.member(key), ""), request[asked])
            for asked, (key, test) in FILTERS.items()
            if asked in request
        )

    def listed(self, documents: Iterable[Document], request: Document) -> Document:
        """Return what its List operation answers; the wire leaves out what no summary has."""
        shape = service_model("sagemaker").operation_model(f"List{self.stem}s").output_shape
        (output,) = (name for name, member in shape.members.items() if member.type_name == "list")
        return {output: self.ordered(documents, request)}

    def describing(self) -> Operation:
        """Return the Describe operation."""
        return lambda part, request: part.get(self, request[f"{self.stem}Name"])

    def listing(self) -> Operation:
        """Return the List operation."""
        return lambda part, request: self.listed(part.platform.resources.list(self.kind), request)

    def deleting(self) -> Operation:
        """Return the Delete operation, if nothing holds the resources."""

        def delete(part: Part, request: Document) -> Document:
            name = f"{self.stem}Name"
            part.platform.resources.delete(self.kind, part.get(self, request[name])[name])
            return {}

        return delete


class Part(Service):
    """Base of the parts."""

    def arn(self, resource: str) -> str:
        """Return the ARN of a SageMaker resource, for example `model/churn`."""
        return self.platform.arn("sagemaker", resource)

    def image_refusals(self, uri: str) -> list[str]:
        """Return why an image could not be started; nothing if it can."""
        try:
            self.platform.runner.require(uri)
        except RunnerError as error:
            return [str(error)]
        return []

    def get(self, kind: Kind, name_or_arn: str) -> Document:
        """Return a resource, or raise what AWS answers if it is not there."""
        name = name_or_arn.partition(f":{kind.kind}/")[2] or name_or_arn
        arn = self.arn(f"{kind.kind}/{name}")
        found = self.platform.resources.find(kind.kind, name)
        if found is None or name_or_arn not in (name, arn):
            raise kind.refusal(kind.missing_code, kind.missing, name, arn)
        return found

    def make(self, kind: Kind, name: str, document: Document, parent: str = "") -> Document:
        """Store a new resource, stamped with the present; return its ARN as its Create does.

        Its tags stay in the document: what Describe operations answer has no member for them.
        """
        arn, now = self.arn(f"{kind.kind}/{name}"), round(time.time(), 3)  # as clients see it
        stamps = {"CreationTime": now, "LastModifiedTime": now}
        named = {f"{kind.stem}Name": name, f"{kind.stem}Arn": arn}
        try:
            self.platform.resources.create(kind.kind, name, stamps | document | named, parent)
        except Exists:
            raise kind.refusal(kind.taken_code, kind.taken, name, arn) from None
        return {f"{kind.stem}Arn": arn}


def once(handler: Operation) -> Operation:
    """Let an operation, in one transaction, answer a client's token always as the first time."""

    @functools.wraps(handler)
    def answer(self: Part, request: Document) -> Document:
        token = request.get("ClientRequestToken", request.get("ClientToken"))
        resources, name = self.platform.resources, f"{handler.__name__} {token}"
        with self.platform.database.transaction():
            known = resources.find("token", name) if token else None
            if known is None:
                known = handler(self, request)
                if token:
                    resources.create("token", name, known)
            return known

    return answer


def require(request: Document, rules: Rules) -> None:
    """Refuse, by name, what the platform does not have."""
    refuse(refusals(request, rules))


def refuse(problems: list[str]) -> None:
    """Refuse a request that has problems."""
    if problems:
        raise invalid("; ".join(problems))


def refusals(request: Document, rules: Rules) -> list[str]:
    """Return all that the platform does not have of what a request asks for, by name."""
    problems = []
    for path, rule in rules.items():
        for where, found in places(request, path):
            try:
                if not isinstance(rule, tuple):
                    rule(found or "")
                elif found not in rule:
                    here = " or ".join(str(each) for each in rule if each is not None) or "none"
                    raise ValueError(f"the local platform has {here}; found {found!r}")
            except (ValueError, re.error) as error:
                problems.append(f"{where}: {error}")
    return problems
