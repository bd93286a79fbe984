"""What a server counts: kept in memory that its processes share, told in two formats."""

import json
import mmap
from bisect import bisect_left
from collections.abc import Sequence

# Upper bounds of the latency's classes, in microseconds; the last class has none.
BOUNDS = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000)
_REQUESTS, _CLIENT, _SERVER, _MICROSECONDS, _BUCKETS = range(5)
_CONNECTIONS = _BUCKETS + len(BOUNDS) + 1
_WIDTH = _CONNECTIONS + 1
_NAMESPACE = "Boostline"


class Counters:
    """The numbers of one worker."""

    def __init__(self, cells: memoryview, connections: memoryview) -> None:
        self._cells = cells
        self._connections = connections

    def connect(self, connections: int) -> None:
        """Note how many connections it has."""
        self._cells[_CONNECTIONS] = connections

    @property
    def busier(self) -> bool:
        """Whether another worker has fewer connections."""
        return self._cells[_CONNECTIONS] > min(self._connections)

    def count(self, status: int, microseconds: int) -> None:
        """Count an answered invocation."""
        cells = self._cells
        cells[_REQUESTS] += 1
        cells[_MICROSECONDS] += microseconds
        cells[_BUCKETS + bisect_left(BOUNDS, microseconds)] += 1
        if status >= 400:
            cells[_SERVER if status >= 500 else _CLIENT] += 1


class Board:
    """The numbers of all workers; it is made before they are forked.

    Parameters
    ----------
    workers
        How many there are. One that comes back counts on where the one before it was.
    """

    def __init__(self, workers: int) -> None:
        size = workers * _WIDTH
        memory = memoryview(mmap.mmap(-1, (size + 1) * 8)).cast("q")
        self._memory, self._fallback = memory[:size], memory[size:]

    @property
    def fallback(self) -> bool:
        """Whether the native engine scores since the accelerated one could not be verified."""
        return bool(self._fallback[0])

    @fallback.setter
    def fallback(self, value: bool) -> None:
        self._fallback[0] = int(value)

    def counters(self, worker: int) -> Counters:
        """Return the numbers of one worker, by its place."""
        cells = self._memory[worker * _WIDTH : (worker + 1) * _WIDTH]
        return Counters(cells, self._memory[_CONNECTIONS::_WIDTH])

    def total(self) -> "Total":
        """Add all workers' numbers up."""
        return Total([sum(self._memory[place::_WIDTH]) for place in range(_WIDTH)])


class Total:
    """Numbers of all workers at a time, or of a span of time."""

    def __init__(self, cells: Sequence[int]) -> None:
        self.cells = cells

    @property
    def requests(self) -> int:
        """How many invocations were answered."""
        return self.cells[_REQUESTS]

    def since(self, before: "Total") -> "Total":
        """Return what came after another total."""
        return Total([now - then for now, then in zip(self.cells, before.cells, strict=True)])

    def latency(self, share: float) -> float:
        """Return the bound in microseconds that a share of the invocations kept."""
        wanted, seen = share * self.requests, 0
        for bound, count in zip(BOUNDS, self.cells[_BUCKETS:_CONNECTIONS], strict=False):
            seen += count
            if seen >= wanted:
                return float(bound)
        return float(2 * BOUNDS[-1])

    def to_emf(self, model: str, fallback: bool, milliseconds: int) -> str:
        """Write a line of CloudWatch's embedded metric format.

        Parameters
        ----------
        model
            The dimension: which model answered.
        fallback
            As the board has it.
        milliseconds
            The time, since 1970.

        Returns
        -------
        str
            A JSON object in one line. Source: "Specification: Embedded metric format" in the
            CloudWatch user guide.
        """
        values = {
            "Invocations": (self.requests, "Count"),
            "Invocation4XXErrors": (self.cells[_CLIENT], "Count"),
            "Invocation5XXErrors": (self.cells[_SERVER], "Count"),
            "LatencyP50": (self.latency(0.5), "Microseconds"),
            "LatencyP99": (self.latency(0.99), "Microseconds"),
            "EngineFallback": (int(fallback), "Count"),
        }
        directive = {
            "Namespace": _NAMESPACE,
            "Dimensions": [["Model"]],
            "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()],
        }
        root = {"_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": [directive]}}
        return json.dumps(
            root | {"Model": model} | {name: value for name, (value, _) in values.items()}
        )

    def to_prometheus(self, fallback: bool) -> str:
        """Write Prometheus' text exposition format, version 0.0.4."""
        name = "boostline_invocation_duration_seconds"
        lines = [
            "# TYPE boostline_invocations_total counter",
            f"boostline_invocations_total {self.requests}",
            "# TYPE boostline_invocation_errors_total counter",
            f'boostline_invocation_errors_total{{class="4xx"}} {self.cells[_CLIENT]}',
            f'boostline_invocation_errors_total{{class="5xx"}} {self.cells[_SERVER]}',
            "# TYPE boostline_engine_fallback gauge",
            f"boostline_engine_fallback {int(fallback)}",
            "# TYPE boostline_connections gauge",
            f"boostline_connections {self.cells[_CONNECTIONS]}",
            f"# TYPE {name} histogram",
        ]
        seen = 0
        for bound, count in zip(BOUNDS, self.cells[_BUCKETS:_CONNECTIONS], strict=False):
            seen += count
            lines.append(f'{name}_bucket{{le="{bound / 1e6:g}"}} {seen}')
        lines += [
            f'{name}_bucket{{le="+Inf"}} {self.requests}',
            f"{name}_sum {self.cells[_MICROSECONDS] / 1e6:.6f}",
            f"{name}_count {self.requests}",
        ]
        return "\n".join(lines) + "\n"
