from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import RunningPlatform

GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture(scope="module")
def logs(shared_platform: RunningPlatform) -> Any:
    """A client of a platform where two jobs wrote, the first twice."""
    kept = shared_platform.platform.logs
    kept.append(GROUP, "job-a/algo-1-1", [f"a{number}" for number in range(10)])
    time.sleep(0.002)  # the times below are in milliseconds
    kept.append(GROUP, "job-b/algo-1-2", ["epoch 1 loss=0.5", "epoch 2 ERROR out of luck"])
    time.sleep(0.002)
    kept.append(GROUP, "job-a/algo-1-1", ["a10"])
    kept.append("/aws/lambda/f", "s", ["START"])
    return shared_platform.client("logs")


def refused(call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    code: str = caught.value.response["Error"]["Code"]
    return code


def messages(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def test_groups_are_found_by_prefix_and_by_part(logs: Any) -> None:
    def names(**params: str) -> list[str]:
        found = logs.describe_log_groups(**params)["logGroups"]
        return [group["logGroupName"] for group in found]

    assert names() == ["/aws/lambda/f", GROUP]
    assert names(logGroupNamePrefix="/aws/sage") == [GROUP]
    assert names(logGroupNamePattern="trainingJobs") == [GROUP]
    first = logs.describe_log_groups(limit=1)
    (second,) = logs.describe_log_groups(limit=1, nextToken=first["nextToken"])["logGroups"]
    assert second["arn"] == f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}:*"


def test_streams_are_ordered_by_name_or_time(logs: Any) -> None:
    def names(**params: Any) -> list[str]:
        found = logs.describe_log_streams(logGroupName=GROUP, **params)["logStreams"]
        return [stream["logStreamName"].split("/")[0] for stream in found]

    assert names() == ["job-a", "job-b"]
    assert names(descending=True) == ["job-b", "job-a"]
    assert names(orderBy="LastEventTime") == ["job-b", "job-a"]
    assert names(logStreamNamePrefix="job-b/") == ["job-b"]
    page = logs.describe_log_streams(logGroupName=GROUP, limit=1)
    assert names(limit=1, nextToken=page["nextToken"]) == ["job-b"]
    (stream,) = page["logStreams"]
    assert stream["firstEventTimestamp"] < stream["lastEventTimestamp"]
    both = {"orderBy": "LastEventTime", "logStreamNamePrefix": "job"}
    found = refused(logs.describe_log_streams, logGroupName=GROUP, **both)
    assert found == "InvalidParameterException"


def test_what_is_not_there_is_said_so(logs: Any) -> None:
    missing = "ResourceNotFoundException"
    assert refused(logs.describe_log_streams, logGroupName="/aws") == missing
    assert refused(logs.filter_log_events, logGroupName="/aws") == missing
    assert refused(logs.get_log_events, logGroupName=GROUP, logStreamName="job") == missing
    names = {"logGroupName": GROUP, "logStreamNames": ["job"]}
    assert refused(logs.filter_log_events, **names) == missing


@pytest.mark.parametrize("number", [str(2**63), "9" * 5000])
def test_a_token_that_no_event_has_is_refused(logs: Any, number: str) -> None:
    asked = {"logGroupName": GROUP, "nextToken": f"f/{number}/s"}
    wrong = "InvalidParameterException"
    assert refused(logs.filter_log_events, **asked) == wrong
    assert refused(logs.get_log_events, logStreamName="job-a/algo-1-1", **asked) == wrong


def test_a_time_may_be_the_last_there_is(logs: Any) -> None:
    found = logs.filter_log_events(logGroupName=GROUP, endTime=2**63 - 1, filterPattern="a10")
    assert messages(found) == ["a10"]


def test_events_are_read_forward_to_the_end_and_on(
    logs: Any, shared_platform: RunningPlatform
) -> None:
    kept = shared_platform.platform.logs
    kept.append("/growing", "s", ["1", "2", "3"])
    place = {"logGroupName": "/growing", "logStreamName": "s"}
    page = logs.get_log_events(**place, startFromHead=True, limit=2)
    assert messages(page) == ["1", "2"]
    page = logs.get_log_events(**place, nextToken=page["nextForwardToken"], limit=2)
    assert messages(page) == ["3"]
    end = logs.get_log_events(**place, nextToken=page["nextForwardToken"])
    assert (messages(end), end["nextForwardToken"]) == ([], page["nextForwardToken"])
    assert messages(logs.get_log_events(**place, nextToken=end["nextBackwardToken"])) == [
        "1",
        "2",
        "3",
    ]
    kept.append("/growing", "s", ["4"])
    assert messages(logs.get_log_events(**place, nextToken=end["nextForwardToken"])) == ["4"]


def test_events_are_read_backward_from_the_newest(logs: Any) -> None:
    place = {"logGroupName": GROUP, "logStreamName": "job-a/algo-1-1", "limit": 4}
    page = logs.get_log_events(**place)
    assert messages(page) == ["a7", "a8", "a9", "a10"]
    page = logs.get_log_events(**place, nextToken=page["nextBackwardToken"])
    assert messages(page) == ["a3", "a4", "a5", "a6"]
    page = logs.get_log_events(**place, nextToken=page["nextBackwardToken"])
    assert messages(page) == ["a0", "a1", "a2"]
    end = logs.get_log_events(**place, nextToken=page["nextBackwardToken"])
    assert (messages(end), end["nextBackwardToken"]) == ([], page["nextBackwardToken"])
    assert messages(logs.get_log_events(**place, nextToken=end["nextForwardToken"])) == [
        "a0",
        "a1",
        "a2",
        "a3",
    ]
    assert refused(logs.get_log_events, **place, nextToken="x") == "InvalidParameterException"


def test_the_end_of_a_time_is_outside_for_get_and_inside_for_filter(logs: Any) -> None:
    place = {"logGroupName": GROUP, "logStreamName": "job-a/algo-1-1"}
    first, *_, last = logs.get_log_events(**place)["events"]
    until = {"startTime": first["timestamp"], "endTime": last["timestamp"]}
    assert messages(logs.get_log_events(**place, **until))[-1] == "a9"
    assert messages(logs.filter_log_events(logGroupName=GROUP, **until))[-1] == "a10"
    since = {"startTime": last["timestamp"]}
    assert messages(logs.get_log_events(**place, **since)) == ["a10"]
    assert messages(logs.filter_log_events(logGroupName=GROUP, **since)) == ["a10"]


def test_filtered_events_page_through_the_streams(logs: Any) -> None:
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=GROUP, PaginationConfig={"PageSize": 3}
    )
    found = [event for page in pages for event in page["events"]]
    expected = [*(f"a{n}" for n in range(10)), "epoch 1 loss=0.5", "epoch 2 ERROR out of luck"]
    assert [event["message"] for event in found] == [*expected, "a10"]
    assert len({event["eventId"] for event in found}) == 13
    by_prefix = logs.filter_log_events(logGroupName=GROUP, logStreamNamePrefix="job-b")
    by_name = logs.filter_log_events(logGroupName=GROUP, logStreamNames=["job-b/algo-1-2"])
    assert messages(by_prefix) == messages(by_name) == expected[-2:]
    arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}"
    assert len(logs.filter_log_events(logGroupIdentifier=arn)["events"]) == 13


@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        ("epoch", [1, 2]),
        ("epoch ERROR", [2]),
        ('"epoch 1"', [1]),
        ("epoch -ERROR", [1]),
        ("?loss ?ERROR", [1, 2]),
        ("Epoch", []),
        ("", [1, 2]),
    ],
)
def test_terms_filter_the_lines(logs: Any, pattern: str, lines: list[int]) -> None:
    found = logs.filter_log_events(
        logGroupName=GROUP, logStreamNamePrefix="job-b", filterPattern=pattern
    )
    assert [int(message.split()[1]) for message in messages(found)] == lines


@pytest.mark.parametrize("pattern", ['{ $.level = "x" }', "[a, b]", "%x+%"])
def test_other_patterns_are_refused(logs: Any, pattern: str) -> None:
    found = refused(logs.filter_log_events, logGroupName=GROUP, filterPattern=pattern)
    assert found == "InvalidParameterException"
