"""Tags of resources, by ARN."""

from __future__ import annotations

from boostline.local.services.sagemaker.part import Document, Part
from boostline.local.wire.errors import invalid


class TagOperations(Part):
    """Tags are kept apart from the resources: Describe calls do not show them."""

    def add_tags(self, request: Document) -> Document:
        """Add tags, in place of those of the same keys."""
        arn = request["ResourceArn"]
        kind, _, name = arn.rpartition(":")[2].partition("/")
        if self.platform.resources.find(kind, name) is None or arn != self.arn(f"{kind}/{name}"):
            raise invalid(f"Could not find the resource {arn} to tag")
        return {"Tags": self.put_tags(arn, request["Tags"])}

    def list_tags(self, request: Document) -> Document:
        """Return all tags: there are at most 50."""
        found = self.platform.resources.find("tags", request["ResourceArn"])
        return {"Tags": found["Tags"] if found else []}

    def delete_tags(self, request: Document) -> Document:
        """Remove the tags of some keys."""
        arn, keys = request["ResourceArn"], set(request["TagKeys"])
        with self.platform.database.transaction():
            found = self.platform.resources.find("tags", arn)
            if found is not None:
                kept = [tag for tag in found["Tags"] if tag["Key"] not in keys]
                self.platform.resources.update("tags", arn, Tags=kept)
        return {}
