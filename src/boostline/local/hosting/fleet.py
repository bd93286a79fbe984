"""The servers of an endpoint's configuration."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

from boostline.local.hosting.container import Container, ServerFailed
from boostline.local.hosting.server import GRACE, Server
from boostline.local.platform import Platform
from boostline.local.store.metrics import dimensions
from boostline.local.store.resources import Document


class NoSuchVariant(LookupError):
    """The endpoint has no variant of that name."""


class Fleet:
    """One server for each variant, and the traffic among them.

    Parameters
    ----------
    plan
        What an endpoint is to become; see `Endpoints`.
    """

    def __init__(self, platform: Platform, endpoint: str, plan: Document) -> None:
        self.endpoint = endpoint
        self._servers = {
            variant: Server(platform, Container(**container), endpoint, variant)
            for variant, container in plan["Containers"].items()
        }
        self.capture: Document | None = plan.get("DataCaptureConfig")
        # What is measured of a variant goes by these; by the second only during an update.
        self.dimensions = {
            variant: (
                dimensions(EndpointName=endpoint, VariantName=variant),
                dimensions(
                    EndpointName=endpoint,
                    VariantName=variant,
                    EndpointConfigName=plan["EndpointConfigName"],
                ),
            )
            for variant in self._servers
        }
        self.weigh(plan)

    def weigh(self, plan: Document) -> None:
        """Share the traffic by the variants' weights, of which one is above 0."""
        variants = {each["VariantName"]: each for each in plan["ProductionVariants"]}
        self._weights = [float(variants[name]["CurrentWeight"]) for name in self._servers]
        self.counts = {name: each["CurrentInstanceCount"] or 1 for name, each in variants.items()}

    def start(self) -> None:
        """Begin to start all servers."""
        for server in self._servers.values():
            server.start()

    def settle(self) -> None:
        """Wait until all servers are healthy.

        Raises
        ------
        ServerFailed
            If one will not be; the message names the variant.
        """
        for variant, server in self._servers.items():
            try:
                server.settle()
            except ServerFailed as error:
                raise ServerFailed(
                    f"The primary container for production variant {variant} did not pass the "
                    f"ping health check: {error}"
                ) from None

    def choose(self, variant: str | None) -> tuple[str, Server]:
        """Return the variant asked for, or one by the weights.

        Raises
        ------
        NoSuchVariant
            If there is none of that name.
        """
        if variant is None:
            (variant,) = random.choices(list(self._servers), self._weights)  # noqa: S311
        if variant in self._servers:
            return variant, self._servers[variant]
        raise NoSuchVariant(variant)

    def close(self, drain: float, grace: float = GRACE) -> None:
        """Stop all servers, after the requests in flight."""
        with ThreadPoolExecutor(len(self._servers)) as executor:
            for server in self._servers.values():
                executor.submit(server.close, drain, grace)
