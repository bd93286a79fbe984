"""What the parts of the service share: resources by kind, name and ARN, with their tags."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from boostline.local.service import Service
from boostline.local.services.sagemaker.listing import Listing, listing
from boostline.local.store.resources import Document, Exists
from boostline.local.wire.errors import AwsError, invalid

Operation: TypeAlias = Callable[[Any, Document], Document]


@dataclass(frozen=True)
class Kind:
    """A kind of resource, from which its Describe, List and Delete operations follow.

    Parameters
    ----------
    kind
        Resource kind and part of the ARN, for example `endpoint-config`.
    stem
        Stem of its members: `EndpointConfig` of `EndpointConfigName`, `EndpointConfigArn`, …
    summaries
        The List operation's output member.
    order
        Its `SortOrder` where the caller gives none.
    missing, taken
        What is said of a name that is not there, or not free; `{arn}` and `{name}` are filled in.
    taken_code
        The error's name of the latter.
    """

    kind: str
    stem: str
    summaries: str
    order: str = "Descending"
    missing: str = 'Could not find {words} "{arn}".'
    taken: str = 'Cannot create already existing {words} "{arn}".'
    taken_code: str = "ValidationException"

    def say(self, text: str, name: str, arn: str) -> str:
        """Return what is said of a resource."""
        return text.format(words=self.kind.replace("-", " "), name=name, arn=arn)

    def page(self, documents: list[Document], request: Document) -> Document:
        """Return a page of summaries."""
        name, status = f"{self.stem}Name", f"{self.stem}Status"
        return listing(Listing(self.summaries, name, status, order=self.order), documents, request)


class Part(Service):
    """Base of the parts."""

    def arn(self, resource: str) -> str:
        """Return the ARN of a SageMaker resource, for example `model/churn`."""
        return self.platform.arn("sagemaker", resource)

    def get(self, kind: Kind, name_or_arn: str) -> Document:
        """Return a resource, or raise what AWS answers if it is not there."""
        name = name_or_arn.partition(f":{kind.kind}/")[2] or name_or_arn
        arn = self.arn(f"{kind.kind}/{name}")
        missing = invalid(kind.say(kind.missing, name, arn))
        if name_or_arn not in (name, arn):
            raise missing
        return self.the(kind.kind, name, missing)

    def make(self, kind: Kind, name: str, document: Document, parent: str = "") -> Document:
        """Store a new resource with its tags; return its ARN as a Create operation does."""
        arn = self.arn(f"{kind.kind}/{name}")
        taken = AwsError(kind.taken_code, kind.say(kind.taken, name, arn))
        named = {f"{kind.stem}Name": name, f"{kind.stem}Arn": arn}
        self.add(kind.kind, name, {**document, **named}, taken, parent)
        return {f"{kind.stem}Arn": arn}

    def add(
        self, kind: str, name: str, document: Document, taken: AwsError, parent: str = ""
    ) -> str:
        """Store a new resource with its tags, stamped with the present; return its ARN.

        Raises `taken` if there is one of that name.
        """
        arn, now = self.arn(f"{kind}/{name}"), round(time.time(), 3)  # as precise as clients see it
        kept = {key: value for key, value in document.items() if key != "Tags"}
        stamped = {"CreationTime": now, "LastModifiedTime": now, **kept}
        with self.platform.database.transaction():
            try:
                self.platform.resources.create(kind, name, stamped, parent)
            except Exists:
                raise taken from None
            if document.get("Tags"):
                self.put_tags(arn, document["Tags"])
        return arn

    def the(self, kind: str, name: str, missing: AwsError) -> Document:
        """Return a resource, or raise `missing`."""
        found = self.platform.resources.find(kind, name)
        if found is None:
            raise missing
        return found

    def drop(self, kind: str, name: str) -> None:
        """Remove a resource that is there, with its tags."""
        with self.platform.database.transaction():
            self.platform.resources.delete(kind, name)
            arn = self.arn(f"{kind}/{name}")
            if self.platform.resources.find("tags", arn) is not None:
                self.platform.resources.delete("tags", arn)

    def once(self, operation: str, token: str | None) -> Document | None:
        """Return what an operation answered to the same token before, if it did."""
        return self.platform.resources.find("token", f"{operation} {token}") if token else None

    def note(self, operation: str, token: str | None, **answer: Any) -> Document:
        """Keep an answer for the next request with the same token, and return it."""
        if token:
            self.platform.resources.create("token", f"{operation} {token}", answer)
        return answer

    def tags(self, arn: str) -> list[dict[str, str]]:
        """Return a resource's tags."""
        found = self.platform.resources.find("tags", arn)
        return list(found["Tags"]) if found else []

    def put_tags(self, arn: str, tags: list[dict[str, str]]) -> list[dict[str, str]]:
        """Add tags to a resource, in place of those of the same keys, and return all."""
        with self.platform.database.transaction():
            merged = {tag["Key"]: tag for tag in [*self.tags(arn), *tags]}
            if len(merged) > 50:
                raise invalid(f"{arn} would have {len(merged)} tags; 50 are allowed")
            with contextlib.suppress(Exists):
                self.platform.resources.create("tags", arn, {})
            self.platform.resources.update("tags", arn, Tags=list(merged.values()))
            return list(merged.values())


def describing(kind: Kind) -> Operation:
    """Return the Describe operation of a kind."""

    def describe(self: Part, request: Document) -> Document:
        return self.get(kind, request[f"{kind.stem}Name"])

    return describe


def listed(kind: Kind) -> Operation:
    """Return the List operation of a kind."""

    def list_(self: Part, request: Document) -> Document:
        return kind.page(self.platform.resources.list(kind.kind), request)

    return list_


def deleting(kind: Kind) -> Operation:
    """Return the Delete operation of a kind whose resources nothing holds."""

    def delete(self: Part, request: Document) -> Document:
        name = f"{kind.stem}Name"
        self.drop(kind.kind, self.get(kind, request[name])[name])
        return {}

    return delete


def last_part(name_or_arn: str) -> str:
    """Return the name in what may be an ARN."""
    return name_or_arn.rpartition("/")[2] if name_or_arn.startswith("arn:") else name_or_arn
