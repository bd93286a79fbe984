"""A rollout of an endpoint under way: SageMaker ends it when one of its alarms is on."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from boostline.project.target import Target

ALARM = "{endpoint}-endpoint-errors"  # as serving.yaml names it


class Rollout:
    """The rollout of an endpoint."""

    def __init__(self, target: Target, endpoint: str) -> None:
        self._sagemaker = target.client("sagemaker")
        self._cloudwatch = target.client("cloudwatch")
        self._endpoint = endpoint
        self._ended = False

    def end(self) -> None:
        """Turn the endpoint's alarm on while its rollout goes on, so that all traffic returns.

        To be called again and again, since the alarm turns off by itself. Once the rollout has
        ended, nothing happens any more: what comes next is the way back.
        """
        if self._ended or self._describe().get("EndpointStatus") != "Updating":
            self._ended = True
            return
        self._cloudwatch.set_alarm_state(
            AlarmName=ALARM.format(endpoint=self._endpoint),
            StateValue="ALARM",
            StateReason="the version was rejected while it was rolled out",
        )

    def version(self) -> int | None:
        """Return the version that the endpoint is on its way to, or has, if there is one."""
        found = self._describe()
        if not found:
            return None
        pending = found.get("PendingDeploymentSummary", found)
        config = self._sagemaker.describe_endpoint_config(
            EndpointConfigName=pending["EndpointConfigName"]
        )
        model = self._sagemaker.describe_model(
            ModelName=config["ProductionVariants"][0]["ModelName"]
        )
        return int(model["Containers"][0]["ModelPackageName"].rpartition("/")[2])

    def _describe(self) -> dict[str, Any]:
        try:
            return dict(self._sagemaker.describe_endpoint(EndpointName=self._endpoint))
        except ClientError as error:
            if "Could not find" in error.response["Error"]["Message"]:
                return {}
            raise
