"""Tags of resources, by ARN."""

from __future__ import annotations

from boostline.local.services.sagemaker.part import Part
from boostline.local.store.resources import Document
from boostline.local.wire.errors import invalid


class TagOperations(Part):
    """Tags are kept apart from the resources: Describe calls do not show them."""

    def add_tags(self, request: Document) -> Document:
        """Add tags, in place of those of the same keys."""
        return {"Tags": self.put_tags(self._tagged(request), request["Tags"])}

    def list_tags(self, request: Document) -> Document:
        """Return all tags: there are at most 50."""
        return {"Tags": self.tags(self._tagged(request))}

    def delete_tags(self, request: Document) -> Document:
        """Remove the tags of some keys."""
        arn, keys = self._tagged(request), set(request["TagKeys"])
        with self.platform.database.transaction():
            kept = [tag for tag in self.tags(arn) if tag["Key"] not in keys]
            if self.tags(arn):
                self.platform.resources.update("tags", arn, Tags=kept)
        return {}

    def _tagged(self, request: Document) -> str:
        arn: str = request["ResourceArn"]
        kind, _, name = arn.rpartition(":")[2].partition("/")
        if self.platform.resources.find(kind, name) is None or arn != self.arn(f"{kind}/{name}"):
            raise invalid(f"Could not find the resource {arn}, which has or gets the tags")
        return arn
