"""A rollout of an endpoint under way: SageMaker ends it when one of its alarms is on."""

from __future__ import annotations

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
        if self._ended or not self._updating():
            self._ended = True
            return
        self._cloudwatch.set_alarm_state(
            AlarmName=ALARM.format(endpoint=self._endpoint),
            StateValue="ALARM",
            StateReason="the version was rejected while it was rolled out",
        )

    def _updating(self) -> bool:
        try:
            found = self._sagemaker.describe_endpoint(EndpointName=self._endpoint)
        except ClientError as error:
            if "Could not find" in error.response["Error"]["Message"]:
                return False
            raise
        return bool(found["EndpointStatus"] == "Updating")
