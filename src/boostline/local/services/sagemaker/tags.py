"""Tags of resources, by ARN."""

from __future__ import annotations

from collections.abc import Callable

from boostline.local.services.sagemaker.part import Part
from boostline.local.store.resources import Document
from boostline.local.wire.errors import invalid

MOST = 50
Tags = dict[str, Document]


class TagOperations(Part):
    """Tags, which are kept with the resources."""

    def add_tags(self, request: Document) -> Document:
        """Add tags, in place of those of the same keys."""
        added = {tag["Key"]: tag for tag in request["Tags"]}
        return self._retag(request, lambda tags: tags | added)

    def list_tags(self, request: Document) -> Document:
        """Return all tags: there are at most 50."""
        return {"Tags": self.platform.resources.get(*self._tagged(request)).get("Tags", [])}

    def delete_tags(self, request: Document) -> Document:
        """Remove the tags of some keys."""
        gone = request["TagKeys"]
        return self._retag(request, lambda tags: {k: tags[k] for k in tags if k not in gone})

    def _retag(self, request: Document, change: Callable[[Tags], Tags]) -> Document:
        kind, name = self._tagged(request)

        def put(document: Document) -> None:
            tags = change({tag["Key"]: tag for tag in document.get("Tags", [])})
            if len(tags) > MOST:
                what = f"{request['ResourceArn']} would have {len(tags)} tags"
                raise invalid(f"{what}; {MOST} are allowed")
            document["Tags"] = list(tags.values())

        return {"Tags": self.platform.resources.change(kind, name, put)["Tags"]}

    def _tagged(self, request: Document) -> tuple[str, str]:
        """Return kind and name of the resource that a request is about."""
        arn: str = request["ResourceArn"]
        kind, _, name = arn.rpartition(":")[2].partition("/")
        if self.platform.resources.find(kind, name) is None or arn != self.arn(f"{kind}/{name}"):
            raise invalid(f"Could not find the resource {arn}, which has or gets the tags")
        return kind, name
