"""What the parts of the service share."""

from __future__ import annotations

import time
from typing import Any, TypeAlias

from boostline.local.service import Service
from boostline.local.store.resources import Exists
from boostline.local.wire.errors import AwsError, invalid

Document: TypeAlias = dict[str, Any]


class Part(Service):
    """Base of the parts: resources by name and ARN, with their tags."""

    def arn(self, resource: str) -> str:
        """Return the ARN of a SageMaker resource, for example `model/churn`."""
        return self.platform.arn("sagemaker", resource)

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

    def the(self, kind: str, name: str, missing: AwsError | None = None) -> Document:
        """Return a resource, or raise `missing`, which is AWS's "Could not find" if not given."""
        found = self.platform.resources.find(kind, name)
        if found is None:
            raise missing or could_not_find(kind, self.arn(f"{kind}/{name}"))
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

    def put_tags(self, arn: str, tags: list[dict[str, str]]) -> list[dict[str, str]]:
        """Add tags to a resource, in place of those of the same keys, and return all."""
        with self.platform.database.transaction():
            found = self.platform.resources.find("tags", arn)
            if found is None:
                self.platform.resources.create("tags", arn, {"Tags": []})
            merged = {tag["Key"]: tag for tag in [*(found or {"Tags": []})["Tags"], *tags]}
            if len(merged) > 50:
                raise invalid(f"{arn} would have {len(merged)} tags; 50 are allowed")
            self.platform.resources.update("tags", arn, Tags=list(merged.values()))
            return list(merged.values())


def last_part(name_or_arn: str) -> str:
    """Return the name in what may be an ARN."""
    return name_or_arn.rpartition("/")[2] if name_or_arn.startswith("arn:") else name_or_arn


def could_not_find(kind: str, arn: str) -> AwsError:
    """Return what SageMaker answers for a resource that is not there."""
    return invalid(f'Could not find {kind.replace("-", " ")} "{arn}".')


def exists(kind: str, arn: str) -> AwsError:
    """Return what SageMaker answers for a name that is taken."""
    return invalid(f'Cannot create already existing {kind.replace("-", " ")} "{arn}".')
