"""STS's operations."""

from __future__ import annotations

from typing import Any

from boostline.local.service import Service

USER = "user/boostline"


class Sts(Service):
    """The platform has one caller: whoever holds its key."""

    def get_caller_identity(self, _: dict[str, Any]) -> dict[str, Any]:
        """Return the platform's account and its one user."""
        account = self.platform.settings.account
        return {
            "UserId": self.platform.credentials.access_key,
            "Account": account,
            "Arn": f"arn:aws:iam::{account}:{USER}",
        }
