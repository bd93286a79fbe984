"""IAM's operations."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

from boostline.local.service import Service

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["sagemaker.amazonaws.com", "lambda.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


class Iam(Service):
    """The local platform has no roles and no policies: its one user may do everything.

    SDKs ask whether a role exists and what it may do before they start a job. Here every name is a
    role that SageMaker and Lambda may assume, and every action is allowed.
    """

    def get_role(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a role of the name asked for: the platform does not keep roles."""
        name = request["RoleName"]
        # The identifier is 21 characters: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
        unique = hashlib.sha256(name.encode()).hexdigest()[:17].upper()
        return {
            "Role": {
                "Path": "/",
                "RoleName": name,
                "RoleId": f"AROA{unique}",
                "Arn": f"arn:aws:iam::{self.platform.settings.account}:role/{name}",
                "CreateDate": 0,
                "AssumeRolePolicyDocument": quote(json.dumps(_TRUST)),
            }
        }

    def simulate_principal_policy(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return that each action on each resource is allowed."""
        results = [
            {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": "allowed"}
            for action in request["ActionNames"]
            for resource in request.get("ResourceArns", ["*"])
        ]
        return {"EvaluationResults": results}
