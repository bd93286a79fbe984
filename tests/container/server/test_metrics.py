import json
import os

from boostline.container.server.metrics import BOUNDS, Board


def test_workers_count_in_memory_that_they_share() -> None:
    board = Board(3)
    for place in (0, 2):
        pid = os.fork()
        if not pid:
            counters = board.counters(place)
            counters.count(200, 40)
            counters.count(400, 60)
            os._exit(0)
        os.waitpid(pid, 0)
    board.counters(1).count(500, 10_000_000)
    total = board.total()
    assert total.requests == 5
    lines = total.to_prometheus(fallback=False).splitlines()
    assert 'boostline_invocation_errors_total{class="4xx"} 2' in lines
    assert 'boostline_invocation_errors_total{class="5xx"} 1' in lines
    assert 'boostline_invocation_duration_seconds_bucket{le="5e-05"} 2' in lines
    assert 'boostline_invocation_duration_seconds_bucket{le="1"} 4' in lines
    assert 'boostline_invocation_duration_seconds_bucket{le="+Inf"} 5' in lines
    assert "boostline_invocation_duration_seconds_sum 10.000200" in lines


def test_the_latency_that_a_share_kept() -> None:
    board = Board(1)
    for microseconds in [BOUNDS[0]] * 98 + [BOUNDS[3], BOUNDS[-1] + 1]:
        board.counters(0).count(200, microseconds)
    total = board.total()
    assert [total.latency(share) for share in (0.5, 0.99, 1.0)] == [50, 500, 2_000_000]


def test_a_span_of_time_as_embedded_metrics() -> None:
    board = Board(1)
    counters = board.counters(0)
    counters.count(500, 1)
    before = board.total()
    counters.count(404, 1)
    line = board.total().since(before).to_emf("7", True, 1_700_000_000_000)
    found = json.loads(line)
    (directive,) = found["_aws"]["CloudWatchMetrics"]
    assert found["_aws"]["Timestamp"] == 1_700_000_000_000
    assert directive["Dimensions"] == [["Model"]]
    # Each metric and dimension that the directive declares is a member of the root.
    values = {metric["Name"]: found[metric["Name"]] for metric in directive["Metrics"]}
    assert found["Model"] == "7"
    assert values == {
        "Invocations": 1,
        "Invocation4XXErrors": 1,
        "Invocation5XXErrors": 0,
        "LatencyP50": 50,
        "LatencyP99": 50,
        "EngineFallback": 1,
    }
    assert "\n" not in line


def test_whether_an_engine_fell_back_is_seen_by_all() -> None:
    board = Board(2)
    assert not board.fallback
    pid = os.fork()
    if not pid:
        board.fallback = True
        os._exit(0)
    os.waitpid(pid, 0)
    assert board.fallback


def test_a_worker_knows_that_another_has_fewer_connections() -> None:
    board = Board(2)
    first, second = board.counters(0), board.counters(1)

    def busier() -> tuple[bool, bool]:
        return first.busier, second.busier

    assert busier() == (False, False)
    first.connect(1)
    assert busier() == (True, False)
    second.connect(1)
    assert busier() == (False, False)
    assert "boostline_connections 2" in board.total().to_prometheus(False)
