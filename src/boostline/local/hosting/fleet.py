"""The servers of an endpoint's configuration."""

from __future__ import annotations

import random
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from boostline.local.engine.work import remove
from boostline.local.environment import given
from boostline.local.hosting.container import Container
from boostline.local.hosting.server import GRACE, Server, ServerFailed
from boostline.local.platform import Platform
from boostline.local.runners.base import Command
from boostline.local.store.resources import Document


class NoSuchVariant(LookupError):
    """The endpoint has no variant of that name."""


@dataclass(frozen=True)
class Variant:
    """A production variant: its one server, its log stream, and how it is described."""

    name: str
    server: Server
    log_stream: str
    weight: float
    count: int


class Fleet:
    """One server for each variant, and the traffic among them.

    Parameters
    ----------
    plan
        What an endpoint is to become; see `Endpoint`.
    """

    def __init__(self, platform: Platform, endpoint: str, plan: Document) -> None:
        self.endpoint = endpoint
        self.log_group = f"/aws/sagemaker/Endpoints/{endpoint}"
        self.config: str = plan["EndpointConfigName"]
        self.capture: Document | None = plan.get("DataCaptureConfig")
        self._platform = platform
        self._folder = platform.folder / "endpoints" / f"{endpoint}-{secrets.token_hex(8)}"
        self._variants = {
            each["VariantName"]: self._variant(each, Container(**container))
            for each in plan["ProductionVariants"]
            if (container := plan["Containers"][each["VariantName"]])
        }

    def start(self) -> None:
        """Begin to start all servers."""
        for variant in self._variants.values():
            variant.server.start()

    def settle(self) -> None:
        """Wait until all servers are healthy.

        Raises
        ------
        ServerFailed
            If one will not be; the message names the variant.
        """
        for name, variant in self._variants.items():
            try:
                variant.server.settle()
            except ServerFailed as error:
                raise ServerFailed(
                    f"The primary container for production variant {name} did not pass the "
                    f"ping health check: {error}"
                ) from None

    def choose(self, name: str | None) -> Variant:
        """Return the variant asked for, or one by the weights, of which one is above 0.

        Raises
        ------
        NoSuchVariant
            If there is none of that name.
        """
        variants = list(self._variants.values())
        if name is None:
            return random.choices(variants, [each.weight for each in variants])[0]  # noqa: S311
        if name not in self._variants:
            raise NoSuchVariant(name)
        return self._variants[name]

    def close(self, drain: float, grace: float = GRACE) -> None:
        """Stop all servers, after the requests in flight."""
        with ThreadPoolExecutor(len(self._variants)) as executor:
            for variant in self._variants.values():
                executor.submit(variant.server.close, drain, grace)
        remove(self._folder)

    def _variant(self, described: Document, container: Container) -> Variant:
        name, instance = described["VariantName"], f"i-{secrets.token_hex(8)}"
        folder, stream = self._folder / name, f"{name}/{instance}"
        server = Server(
            self._platform.runner,
            Command(
                f"endpoint/{self.endpoint}/{stream}",
                container.call,
                given(self._platform, container.environment),
                folder / "ml",
                folder / "home",
                ("model",),
            ),
            partial(self._platform.logs.append, self.log_group, stream),
            container.timeout,
            partial(container.lay_out, self._platform),
        )
        weight, count = described["CurrentWeight"], described["CurrentInstanceCount"] or 1
        return Variant(name, server, stream, weight, count)
