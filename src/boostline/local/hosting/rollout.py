"""How an update moves the traffic to the new servers.

Source: "Blue/Green Deployments" and "Auto-Rollback Configuration and Monitoring" in the Amazon
SageMaker guide, and `DeploymentConfig` in its API Reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from boostline.local.store.resources import Document

LARGEST = {"CanarySize": (1, 50), "LinearStepSize": (10, 50)}  # least, most percent of a fleet
SIZES = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}


class BadRollout(ValueError):
    """A DeploymentConfig that SageMaker refuses, or the platform does not have."""


@dataclass(frozen=True)
class Rollout:
    """The steps of an update.

    Parameters
    ----------
    shares
        The new servers' share of the traffic, step by step; the last is 1.
    interval
        Seconds for which the alarms are watched after each step.
    termination
        Seconds for which the old servers are kept after the last.
    alarms
        The alarms that send the traffic back.
    """

    shares: tuple[float, ...] = (1.0,)
    interval: float = 0.0
    termination: float = 0.0
    alarms: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Document | None, counts: Sequence[int]) -> Rollout:
        """Return the steps that a DeploymentConfig asks for.

        Parameters
        ----------
        counts
            How many instances each variant has.

        Raises
        ------
        BadRollout
            If SageMaker would refuse it.
        """
        if not config:
            return cls()
        if "RollingUpdatePolicy" in config:
            raise BadRollout("RollingUpdatePolicy: the local platform has BlueGreenUpdatePolicy")
        alarms = config.get("AutoRollbackConfiguration", {}).get("Alarms", [])
        names = tuple(alarm["AlarmName"] for alarm in alarms)
        policy = config.get("BlueGreenUpdatePolicy")
        if policy is None:
            return cls(alarms=names)
        routing = policy["TrafficRoutingConfiguration"]
        shares = _shares(routing, counts)
        interval = routing["WaitIntervalInSeconds"]
        termination = policy.get("TerminationWaitInSeconds", 0)
        longest = policy.get("MaximumExecutionTimeoutInSeconds")
        waits = interval * len(shares) + termination
        if longest is not None and waits > longest:
            raise BadRollout(
                f"MaximumExecutionTimeoutInSeconds {longest} is less than all the waiting "
                f"that is asked for, {waits} s"
            )
        return cls(shares, interval, termination, names)


def _shares(routing: Document, counts: Sequence[int]) -> tuple[float, ...]:
    kind = routing["Type"]
    for other, member in SIZES.items():
        if (member in routing) != (other == kind):
            verb = "needs" if other == kind else "has no"
            raise BadRollout(f"Traffic routing of type {kind} {verb} {member}")
    if kind not in SIZES:
        return (1.0,)
    member = SIZES[kind]
    step = _share(member, routing[member], counts)
    if kind == "CANARY":
        return (step, 1.0)
    return (*(step * number for number in range(1, int(1 / step - 1e-9) + 1)), 1.0)


def _share(member: str, size: Document, counts: Sequence[int]) -> float:
    """Return what a step is of the whole fleet."""
    least, most = LARGEST[member]
    value, fewest = float(size["Value"]), min(counts)
    percent = value if size["Type"] == "CAPACITY_PERCENT" else 100 * value / max(1, fewest)
    if fewest < 2 or not least <= percent <= most:
        raise BadRollout(
            f"{member} {value:g} ({size['Type']}) must be {least} to {most} percent of each "
            f"variant's instances, and at least one of them; there are {fewest}"
        )
    return percent / 100
