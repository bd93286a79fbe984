"""CloudWatch Logs' operations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from boostline.local.service import Service
from boostline.local.store.logs import Event
from boostline.local.wire import errors
from boostline.local.wire.errors import AwsError

Members = dict[str, Any]

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
EVENTS = 10_000
MOST = 2**63 - 1  # of numbers and of times
_invalid = partial(errors.invalid, service="logs")
_NUMBER = re.compile("[0-9]{1,19}")
_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')


class CloudWatchLogs(Service):
    """Groups and streams appear with their first line; nobody creates them."""

    def describe_log_groups(self, request: Members) -> Members:
        """Return groups by name."""
        found = self.platform.logs.groups(request.get("logGroupNamePrefix", ""))
        part = request.get("logGroupNamePattern", "").lower()
        groups = [
            {
                "logGroupName": name,
                "creationTime": created,
                "arn": f"{self._arn(name)}:*",
                "logGroupArn": self._arn(name),
                "storedBytes": 0,
            }
            for name, created in found.items()
            if part in name.lower()
        ]
        return {"logGroups": groups}

    def describe_log_streams(self, request: Members) -> Members:
        """Return a group's streams, by name or by the time of their last event."""
        group = self._group(request)
        by_time = request.get("orderBy") == "LastEventTime"
        prefix = request.get("logStreamNamePrefix", "")
        if by_time and prefix:
            raise _invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        streams = [
            {
                "logStreamName": name,
                "creationTime": first,
                "firstEventTimestamp": first,
                "lastEventTimestamp": last,
                "lastIngestionTime": last,
                "arn": f"{self._arn(group)}:log-stream:{name}",
                "storedBytes": 0,
            }
            for name, (first, last) in self.platform.logs.streams(group, prefix).items()
        ]
        if by_time:
            streams.sort(key=lambda stream: (stream["lastEventTimestamp"], stream["logStreamName"]))
        if request.get("descending"):
            streams.reverse()
        return {"logStreams": streams}

    def get_log_events(self, request: Members) -> Members:
        """Return a stream's events: the newest, or the oldest with `startFromHead`.

        A token that comes back unchanged says that there is no more for now.
        """
        group, stream = self._group(request), request["logStreamName"]
        if stream not in self.platform.logs.streams(group, stream):
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        token = request.get("nextToken", "f/0/s" if request.get("startFromHead") else "")
        forward, number = _position(token)
        events = self.platform.logs.events(
            group,
            [stream],
            number if forward else 0,
            request.get("limit", EVENTS),
            before=None if forward or not token else number,
            since=request.get("startTime"),
            until=request.get("endTime"),
            newest=not forward,
        )
        first, last = (events[0].number, events[-1].number) if events else (number, number)
        if not events and forward:
            first += 1  # backward from here is what lies before the next event
        elif not events:
            last = max(0, number - 1)
        return {
            "events": [_event(event) for event in events],
            "nextForwardToken": f"f/{last}/s",
            "nextBackwardToken": f"b/{first}/s",
        }

    def filter_log_events(self, request: Members) -> Members:
        """Return the events of a group's streams that match a pattern of terms."""
        group = self._group(request)
        streams = self._streams(group, request)
        matches = _matcher(request.get("filterPattern", ""))
        limit = request.get("limit", EVENTS)
        forward, after = _position(request.get("nextToken", "f/0/s"))
        if not forward:
            raise _invalid("The specified nextToken is invalid.")
        found: list[Event] = []
        for event in self._after(group, streams, after, request):
            if not matches(event.message):
                continue
            if len(found) == limit:
                return _filtered(found, f"f/{found[-1].number}/s")
            found.append(event)
        return _filtered(found, None)

    def _after(
        self, group: str, streams: list[str] | None, after: int, request: Members
    ) -> Iterator[Event]:
        end = request.get("endTime")
        while True:
            # Inclusive, other than GetLogEvents'.
            until = None if end is None else min(end + 1, MOST)
            span: Members = {"since": request.get("startTime"), "until": until}
            events = self.platform.logs.events(group, streams, after, EVENTS, **span)
            yield from events
            if len(events) < EVENTS:
                return
            after = events[-1].number

    def _streams(self, group: str, request: Members) -> list[str] | None:
        names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
        if names is not None and prefix is not None:
            raise _invalid("Either logStreamNames or logStreamNamePrefix may be given, not both.")
        if prefix is not None:
            return list(self.platform.logs.streams(group, prefix))
        if names is not None and not set(names) <= set(self.platform.logs.streams(group)):
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        return names

    def _group(self, request: Members) -> str:
        """Return the group that a request names, by its name or its ARN."""
        name: str | None = request.get("logGroupName", request.get("logGroupIdentifier"))
        if name is None:
            raise _invalid("logGroupName or logGroupIdentifier must be given.")
        name = name.removeprefix(self._arn("")).removesuffix(":*")
        if name not in self.platform.logs.groups(name):
            raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
        return name

    def _arn(self, group: str) -> str:
        return self.platform.arn("logs", f"log-group:{group}")


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a line has all of a pattern's terms, any `?` one, and no `-` one.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    if pattern.strip()[:1] in {"{", "[", "%"}:
        raise _invalid(f"Invalid filter pattern {pattern!r}: the platform matches plain terms only")
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    for sign, quoted, bare in _TERM.findall(pattern):
        terms[sign].append(quoted or bare)

    def matches(line: str) -> bool:
        found = {sign: [term in line for term in terms[sign]] for sign in terms}
        return all(found[""]) and not any(found["-"]) and (not terms["?"] or any(found["?"]))

    return matches


def _event(event: Event) -> Members:
    at = event.timestamp
    return {"timestamp": at, "message": event.message, "ingestionTime": at}


def _filtered(events: list[Event], token: str | None) -> Members:
    shown = [
        {**_event(event), "logStreamName": event.stream, "eventId": f"{event.number:056}"}
        for event in events
    ]
    return {"events": shown, "searchedLogStreams": [], "nextToken": token}


def _position(token: str) -> tuple[bool, int]:
    """Return direction and number of a token: forward from after it, or backward from before it."""
    if not token:
        return False, 0
    direction, _, rest = token.partition("/")
    number = rest.removesuffix("/s")
    if direction not in {"f", "b"} or not _NUMBER.fullmatch(number) or int(number) > MOST:
        raise _invalid("The specified nextToken is invalid.")
    return direction == "f", int(number)
