"""What the parts of the service share: resources by kind, name and ARN."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from boostline.local.runners.base import RunnerError
from boostline.local.service import Service
from boostline.local.services.sagemaker.listing import Kind
from boostline.local.store.resources import Document, Exists
from boostline.local.wire.errors import invalid

Operation: TypeAlias = Callable[[Any, Document], Document]


class Part(Service):
    """Base of the parts."""

    def arn(self, resource: str) -> str:
        """Return the ARN of a SageMaker resource, for example `model/churn`."""
        return self.platform.arn("sagemaker", resource)

    def require_image(self, uri: str) -> None:
        """Refuse an image that could not be started."""
        try:
            self.platform.runner.require(uri)
        except RunnerError as error:
            raise invalid(str(error)) from None

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


def describing(kind: Kind) -> Operation:
    """Return the Describe operation of a kind."""

    def describe(self: Part, request: Document) -> Document:
        return self.get(kind, request[f"{kind.stem}Name"])

    return describe


def listed(kind: Kind) -> Operation:
    """Return the List operation of a kind."""

    def list_(self: Part, request: Document) -> Document:
        return kind.listed(self.platform.resources.list(kind.kind), request)

    return list_


def deleting(kind: Kind) -> Operation:
    """Return the Delete operation of a kind whose resources nothing holds."""

    def delete(self: Part, request: Document) -> Document:
        name = f"{kind.stem}Name"
        self.platform.resources.delete(kind.kind, self.get(kind, request[name])[name])
        return {}

    return delete


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
