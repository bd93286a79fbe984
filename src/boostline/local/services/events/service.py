"""Rules, their targets, and events of one's own."""

from __future__ import annotations

import contextlib
import time

from boostline.local.platform import Platform
from boostline.local.service import Service
from boostline.local.services.events.delivery import Deliveries
from boostline.local.services.events.inputs import check
from boostline.local.services.events.patterns import BadPattern, read
from boostline.local.store.events import RULE
from boostline.local.store.resources import Document, Missing
from boostline.local.wire.documents import read_json
from boostline.local.wire.errors import AwsError, invalid, refuse_members

BUS = "default"
TARGETS = 5  # of a rule: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
NOT_HERE = ("DeadLetterConfig", "EcsParameters", "BatchParameters", "RunCommandParameters")


class Events(Service):
    """Amazon EventBridge: the default bus, and rules with patterns."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._deliveries = Deliveries(platform)

    def start(self) -> None:
        """Go on with what is to be delivered."""
        self._deliveries.start()

    def stop(self) -> None:
        """Deliver no more."""
        self._deliveries.close()

    def put_rule(self, request: Document) -> Document:
        """Make a rule, or give it another pattern or state; its targets stay."""
        name = self._name(request, "Name")
        if "ScheduleExpression" in request:
            raise invalid("ScheduleExpression: the local platform has rules with an EventPattern")
        try:
            read(request.get("EventPattern", ""))
        except BadPattern as error:
            raise AwsError(
                "InvalidEventPatternException", f"Event pattern is not valid. Reason: {error}"
            ) from None
        arn = self.platform.arn("events", f"rule/{name}")
        kept = {member: request[member] for member in request if member != "Tags"}
        with self.platform.database.transaction():
            self._deliveries.route()  # what came before the change
            found = self.platform.resources.find(RULE, name)
            rule = {"State": "ENABLED", **kept, "Arn": arn, "EventBusName": BUS}
            rule["Targets"] = found["Targets"] if found else []
            self.platform.resources.put(RULE, name, rule)
        return {"RuleArn": arn}

    def describe_rule(self, request: Document) -> Document:
        """Return a rule."""
        return self._rule(self._name(request, "Name"))

    def list_rules(self, request: Document) -> Document:
        """Return rules by the beginning of their names."""
        self._name(request, "")
        prefix = request.get("NamePrefix", "")
        rules = [r for r in self.platform.resources.list(RULE) if r["Name"].startswith(prefix)]
        return {"Rules": rules}

    def enable_rule(self, request: Document) -> None:
        """Let a rule match again."""
        self._change(self._name(request, "Name"), State="ENABLED")

    def disable_rule(self, request: Document) -> None:
        """Let a rule match no more."""
        self._change(self._name(request, "Name"), State="DISABLED")

    def delete_rule(self, request: Document) -> None:
        """Remove a rule that has no targets; one that is not there is no error."""
        name = self._name(request, "Name")
        with self.platform.database.transaction():
            if (self.platform.resources.find(RULE, name) or {}).get("Targets"):
                raise invalid("Rule can't be deleted since it has targets.")
            with contextlib.suppress(Missing):
                self.platform.resources.delete(RULE, name)

    def put_targets(self, request: Document) -> Document:
        """Give a rule targets, in place of those with the same ids."""
        name = self._name(request, "Rule")
        for target in request["Targets"]:
            refuse_members(target, NOT_HERE, "events")
            try:
                check(target)
            except ValueError as error:
                raise invalid(f"Target {target['Id']}: {error}") from None
        with self.platform.database.transaction():
            found = {target["Id"]: target for target in self._rule(name)["Targets"]}
            found |= {target["Id"]: target for target in request["Targets"]}
            if len(found) > TARGETS:
                said = f"The rule {name} would have {len(found)} targets; {TARGETS} are allowed"
                raise AwsError("LimitExceededException", said)
            self._change(name, Targets=[*found.values()])
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def remove_targets(self, request: Document) -> Document:
        """Take targets from a rule."""
        name = self._name(request, "Rule")
        with self.platform.database.transaction():
            targets = self._rule(name)["Targets"]
            kept = [target for target in targets if target["Id"] not in request["Ids"]]
            self._change(name, Targets=kept)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def list_targets_by_rule(self, request: Document) -> Document:
        """Return a rule's targets."""
        return {"Targets": self._rule(self._name(request, "Rule"))["Targets"]}

    def put_events(self, request: Document) -> Document:
        """Send events; each is taken or refused by itself, and none if the request is wrong."""
        for entry in request["Entries"]:
            self._name(entry, "")
        with self.platform.database.transaction():
            entries = [self._put(entry) for entry in request["Entries"]]
        return {
            "FailedEntryCount": sum("ErrorCode" in entry for entry in entries),
            "Entries": entries,
        }

    def _put(self, entry: Document) -> Document:
        for member in ("Source", "DetailType", "Detail"):
            if not entry.get(member):
                said = f"Parameter {member} is not valid. Reason: {member} is a required argument."
                return {"ErrorCode": "InvalidArgument", "ErrorMessage": said}
        if entry["Source"].startswith("aws."):
            said = "Not authorized for the source."
            return {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": said}
        detail = None
        with contextlib.suppress(ValueError):
            detail = read_json(entry["Detail"])
        if not isinstance(detail, dict):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        moment = entry.get("Time", time.time())
        about = entry["DetailType"], detail, entry.get("Resources", []), entry["Source"]
        return {"EventId": self.platform.events.put(*about, moment)}

    def _rule(self, name: str) -> Document:
        found = self.platform.resources.find(RULE, name)
        if found is None:
            raise self._unknown(name)
        return found

    def _change(self, name: str, **members: object) -> None:
        self._deliveries.route()  # what came before the change
        try:
            self.platform.resources.update(RULE, name, **members)
        except Missing:
            raise self._unknown(name) from None

    def _unknown(self, name: str) -> AwsError:
        said = f"Rule {name} does not exist on EventBus {BUS}."
        return AwsError("ResourceNotFoundException", said)

    def _name(self, request: Document, member: str) -> str:
        """Return the name of a rule, which is one of the default bus."""
        bus = request.get("EventBusName", BUS)
        if bus not in (BUS, self.platform.arn("events", f"event-bus/{BUS}")):
            raise AwsError("ResourceNotFoundException", f"Event bus {bus} does not exist.")
        return str(request.get(member, ""))
