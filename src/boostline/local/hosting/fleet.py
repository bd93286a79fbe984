"""The servers of an endpoint's configuration."""

from __future__ import annotations

import random
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from boostline.local.environment import given
from boostline.local.folders import remove
from boostline.local.hosting.server import SERVE, Server, ServerFailed, lay_out
from boostline.local.platform import Platform
from boostline.local.runners.base import Call, Command
from boostline.local.store.resources import Document


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
        self.plan = plan
        self.log_group = f"/aws/sagemaker/Endpoints/{endpoint}"
        self._platform = platform
        self._folder = platform.folder / "endpoints" / f"{endpoint}-{secrets.token_hex(8)}"
        self._variants: dict[str, Variant] = {}

    def start(self) -> None:
        """Unpack each model, and begin to start its server.

        Raises
        ------
        ServerFailed
            If a model cannot be unpacked.
        """
        for described in self.plan["ProductionVariants"]:
            self._variants[described["VariantName"]] = self._variant(described)

    def settled(self, timeout: float) -> bool:
        """Wait so long for each server to be healthy; return whether all are.

        Raises
        ------
        ServerFailed
            If one will not be; the message names the variant.
        """
        for name, variant in self._variants.items():
            try:
                if not variant.server.settled(timeout):
                    return False
            except ServerFailed as error:
                raise ServerFailed(
                    f"The primary container for production variant {name} did not pass the "
                    f"ping health check: {error}"
                ) from None
        return True

    def choose(self, name: str | None) -> Variant | None:
        """Return the variant of a name, if there is one; of none, one by the weights."""
        if name is not None:
            return self._variants.get(name)
        variants = list(self._variants.values())
        return random.choices(variants, [each.weight for each in variants])[0]  # noqa: S311

    def close(self, drain: float, grace: float) -> None:
        """Stop all servers, after the requests in flight."""
        with ThreadPoolExecutor(len(self._variants) + 1) as executor:
            for variant in self._variants.values():
                executor.submit(variant.server.close, drain, grace)
        remove(self._folder)

    def _variant(self, described: Document) -> Variant:
        name, container = described["VariantName"], described["Container"]
        folder, stream = self._folder / name, f"{name}/i-{secrets.token_hex(8)}"
        lay_out(self._platform, container, folder / "ml")
        command = Command(
            f"endpoint/{self.endpoint}/{stream}",
            Call(container["image"], arguments=SERVE),
            given(self._platform, container["environment"]),
            folder / "ml",
            folder / "home",
            ("model",),
        )
        sink = partial(self._platform.logs.append, self.log_group, stream)
        server = Server(self._platform.runner, command, sink, container["timeout"])
        weight, count = described["CurrentWeight"], described["CurrentInstanceCount"] or 1
        return Variant(name, server, stream, weight, count)
