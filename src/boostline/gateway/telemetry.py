"""What operators see of each request: a line of log, metrics, and a trace.

By AWS Lambda Powertools. https://docs.aws.amazon.com/powertools/python/latest/
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

NAMESPACE = "Boostline"
COUNT, MILLISECONDS = "Count", "Milliseconds"
# Lambda sets the first for all its functions, and the second before each invocation.
DAEMON, TRACE = "AWS_XRAY_DAEMON_ADDRESS", "_X_AMZN_TRACE_ID"
SAMPLED = "Sampled=1"


class Telemetry:
    """Logs, counts and traces the requests of one stage.

    The log has one JSON line a request, with the request's id of API Gateway as `correlation_id`.
    The metrics go to the log too, in CloudWatch's embedded metric format, in namespace `Boostline`
    by `service` and `stage`. A trace is written only of a request that is sampled, where a daemon
    of X-Ray listens: its library, which takes longer to import than all else here, is loaded then.

    Parameters
    ----------
    service
        The project's name.
    stage
        The stage's name.
    """

    def __init__(self, service: str, stage: str) -> None:
        self._service = service
        self._logger = Logger(service=service, stage=stage, location=None)
        self._metrics = EphemeralMetrics(namespace=NAMESPACE, service=service)
        self._metrics.set_default_dimensions(stage=stage)
        self._cold = True
        self._tracer: Any = None

    def answered(self, line: dict[str, Any], status: int, error: Exception | None = None) -> None:
        """Write the line and the metrics of a request.

        Parameters
        ----------
        line
            What is known of the request; `requestId`, `method` and `path` at least.
            `endpointMilliseconds` and `fallback` are counted.
        status
            HTTP status of the answer.
        error
            What nobody expected: its traceback is logged.
        """
        known = dict(line, correlation_id=line["requestId"], cold_start=self._cold, status=status)
        self._cold = False
        write = self._logger.error if status >= 500 else self._logger.info
        write(f"{line['method']} {line['path']} {status}", extra=known, exc_info=error)
        self._count("Requests", 1)
        self._count("ClientErrors", int(400 <= status < 500))
        self._count("ServerErrors", int(status >= 500))
        self._count("Fallbacks", int(line.get("fallback", False)))
        if "endpointMilliseconds" in line:
            self._count("EndpointLatency", line["endpointMilliseconds"], MILLISECONDS)
        self._metrics.flush_metrics()

    @contextmanager
    def traced(self, line: dict[str, Any]) -> Iterator[None]:
        """Trace what happens in the block, with what the line says in the end."""
        if DAEMON not in os.environ or SAMPLED not in os.environ.get(TRACE, ""):
            yield
            return
        with self._recorder().in_subsegment("gateway") as segment:
            yield
            for name, value in line.items():
                segment.put_annotation(name, value)

    def _recorder(self) -> Any:
        if self._tracer is None:
            from aws_lambda_powertools.tracing import Tracer  # noqa: PLC0415 - see the class

            # The calls of the endpoint are traced too.
            self._tracer = Tracer(service=self._service, patch_modules=["botocore"])
        return self._tracer.provider

    def _count(self, name: str, value: float, unit: str = COUNT) -> None:
        self._metrics.add_metric(name, unit, value)
