"""How an update moves the traffic to the new servers.

Source: "Blue/Green Deployments" and "Auto-Rollback Configuration and Monitoring" in the Amazon
SageMaker guide, and `DeploymentConfig` in its API Reference.
"""

from __future__ import annotations

from dataclasses import dataclass

from boostline.local.store.resources import Document

PERCENT = (1, 50)  # of a fleet: the least and the most that a canary takes


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
    def of(cls, plan: Document) -> Rollout:
        """Return the steps that a plan's DeploymentConfig asks for; see `Endpoint`.

        Raises
        ------
        ValueError
            If SageMaker would refuse it.
        """
        config = plan.get("DeploymentConfig") or {}
        alarms = config.get("AutoRollbackConfiguration", {}).get("Alarms", [])
        names = tuple(alarm["AlarmName"] for alarm in alarms)
        policy = config.get("BlueGreenUpdatePolicy")
        if policy is None:
            return cls(alarms=names)
        routing = policy["TrafficRoutingConfiguration"]
        fewest = min(variant["DesiredInstanceCount"] for variant in plan["ProductionVariants"])
        shares = _shares(routing, fewest)
        interval = routing["WaitIntervalInSeconds"]
        termination = policy.get("TerminationWaitInSeconds", 0)
        longest = policy.get("MaximumExecutionTimeoutInSeconds")
        waits = interval * len(shares) + termination
        if longest is not None and waits > longest:
            raise ValueError(
                f"MaximumExecutionTimeoutInSeconds {longest} is less than all the waiting "
                f"that is asked for, {waits} s"
            )
        return cls(shares, interval, termination, names)


def _shares(routing: Document, fewest: int) -> tuple[float, ...]:
    """Return the steps where each variant has so many instances, or more."""
    kind, size = routing["Type"], routing.get("CanarySize")
    if (size is not None) != (kind == "CANARY"):
        raise ValueError(
            f"Traffic routing of type {kind} {'has no' if size else 'needs'} CanarySize"
        )
    if size is None:
        return (1.0,)
    value = float(size["Value"])
    percent = value if size["Type"] == "CAPACITY_PERCENT" else 100 * value / max(1, fewest)
    least, most = PERCENT
    if fewest < 2 or not least <= percent <= most:
        raise ValueError(
            f"CanarySize {value:g} ({size['Type']}) must be {least} to {most} percent of each "
            f"variant's instances, and at least one of them; there are {fewest}"
        )
    return (percent / 100, 1.0)
