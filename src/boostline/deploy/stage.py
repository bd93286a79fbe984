"""A stage of a project: deployed, tested, taken back, removed, as a CloudFormation stack."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from boostline.artifact.folder import Artifact, open_archive
from boostline.contracts.errors import BoostlineError
from boostline.contracts.uri import split_uri
from boostline.deploy import api, parameters, registry, templates
from boostline.deploy.api import RestApi
from boostline.deploy.registry import NotApprovedError
from boostline.deploy.rollout import Rollout
from boostline.deploy.smoke import Expected, Outcome, SmokeTest
from boostline.deploy.stack import Change, ChangeSet, OvertakenError, Stack, StackError
from boostline.project import store
from boostline.project.config import Config
from boostline.project.target import StageError, Target, of_stage

Report: TypeAlias = Callable[[str], object]
T = TypeVar("T")


class SmokeTestError(BoostlineError):
    """A version that does not answer as it should."""

    exit_code = 6


class ReplacedError(StackError):
    """A version that others took away before its test had come to its end."""


@dataclass(frozen=True)
class Plan:
    """What a deployment would do: the version, and each change of a resource."""

    version: int
    changes: Sequence[Change]


@dataclass(frozen=True)
class Deployment:
    """What answers now; `outcome` is None where the version had passed its test here before."""

    stage: str
    version: int
    endpoint: str
    function: str
    api: RestApi
    outcome: Outcome | None


class Stage:
    """A stage of a project on a target.

    Parameters
    ----------
    home, config
        The project, and where its versions and their artifacts are.
    name
        The stage's name in `boostline.toml`, which may say that it is in another account.
    report
        Is told what happens, in a few words.

    Raises
    ------
    StageError
        If the project has no such stage.
    TargetError
        If it is in an account that is not to be reached.
    """

    def __init__(self, home: Target, config: Config, name: str, report: Report = str) -> None:
        self.name = name
        self._home = home
        self._target = of_stage(home, config, name)
        self._config = config
        self._settings = config.stages[name]
        self._report = report
        self._stack = Stack(self._target, name_of(config, name), report)

    def api(self) -> RestApi | None:
        """Return the REST API, if the stage is deployed."""
        outputs = self._stack.outputs()
        return api.find(self._target, outputs) if outputs else None

    def version(self) -> int | None:
        """Return the version that is deployed, if one is."""
        return _version(self._stack.outputs())

    def plan(self, number: int | None) -> Plan:
        """Return what a deployment would do, and do nothing to the stage.

        Function and API document are stored, under their digests: a change set names them.

        Raises
        ------
        NotApprovedError
            If the version must not be deployed here.
        StackError
            If what a failed creation left would have to be removed first.
        """

        def show(package: dict[str, Any], artifact: Artifact) -> Plan:
            planned = self._planned(package, artifact, clear=False)
            if planned is not None:
                self._stack.discard(planned)
            return Plan(int(package["ModelPackageVersion"]), planned.changes if planned else ())

        return self._unovertaken(lambda: self._admitted(number), show)

    def deploy(self, number: int | None) -> Deployment:
        """Deploy the latest approved version, or an approved one by number, and test it.

        Nothing happens to a stage that has the version, tested, already. A stage that comes after
        another goes back to the version before if the new one fails its test.

        Raises
        ------
        NotApprovedError
            If the version must not be deployed here.
        StackError
            If it did not come up, or was rejected meanwhile; what was there before goes on. Or if
            somebody removed the stage, or brought it to another version, while it was tested.
        SmokeTestError
            If it answers what it should not.
        """
        return self._unovertaken(lambda: self._admitted(number), self._bring)

    def rollback(self) -> Deployment:
        """Go back to the highest version below the deployed one that has passed its test here.

        Raises
        ------
        NotApprovedError
            If there is none that is still approved.
        """
        current = self.version()
        if current is None:
            raise StageError(f"stage {self.name} is not deployed: there is nothing to take back")
        group = self._config.name
        return self._unovertaken(
            lambda: registry.passed_before(self._home, group, self.name, current), self._bring
        )

    def withdraw(self, number: int) -> None:
        """End what is under way here of a version that has been rejected; report what stays."""
        rollout = Rollout(self._target, self._stack.name)
        if self._coming(rollout) == number:
            self._report(f"stage {self.name}: version {number} is taken back")
            self._stack.take_back(rollout.end)
        if self.version() == number:
            self._report(
                f"stage {self.name} answers with version {number} still: `boostline rollback "
                f"{self.name}` or `boostline destroy {self.name}` ends that"
            )

    def _coming(self, rollout: Rollout) -> int | None:
        """Return the version that a change under way brings, once its endpoint says which."""
        here = self.version()
        while self._stack.is_advancing():
            if (found := rollout.version()) not in (None, here):
                return found
            self._stack.pause()
        return None

    def destroy(self) -> bool:
        """Remove all that the stage has, less what it captured; say whether there was anything."""
        there = self._stack.describe() is not None
        self._stack.delete()
        return there

    def _admitted(self, number: int | None) -> dict[str, Any]:
        package = registry.approved(self._home, self._config.name, number)
        before = self._settings.after
        if before is not None and not registry.passed(package, before):
            version = package["ModelPackageVersion"]
            raise NotApprovedError(
                f"{self._config.name} version {version} has not passed {before}: `boostline "
                f"deploy {before} --version {version}` tests it"
            )
        return package

    def _unovertaken(
        self, choose: Callable[[], dict[str, Any]], work: Callable[[dict[str, Any], Artifact], T]
    ) -> T:
        """Choose a version and work with it, again for as long as other deployments come first."""
        while True:
            self._stack.settle()  # what is chosen depends on what others have done until then
            package = choose()
            try:
                with opened(self._home, package) as artifact:
                    return work(package, artifact)
            except OvertakenError as error:
                self._report(f"another deployment came first: {error}")
            except ReplacedError as error:
                if (
                    self.version() is None
                    or choose()["ModelPackageArn"] == package["ModelPackageArn"]
                ):
                    raise  # two that put their versions back by turns would never end
                self._report(str(error))

    def _bring(self, package: dict[str, Any], artifact: Artifact) -> Deployment:
        version, before = int(package["ModelPackageVersion"]), self.version()
        changed = self._changed(package, artifact)
        self._require_approved(package, before)
        outcome = None
        if changed or not registry.passed(registry.describe(self._home, package), self.name):
            outcome = self._test(package, artifact)
            self._require_approved(package, before)
            registry.record(self._home, package, self.name, outcome.passed)
            if not outcome.passed:
                back = f"\n`boostline rollback {self.name}` goes back to a version before"
                if self._settings.after is not None:
                    back = self._back(version, before)
                raise SmokeTestError(f"stage {self.name}: version {version} {outcome}{back}")
        outputs = self._answering(version)
        names = outputs["EndpointName"], outputs["FunctionName"]
        return Deployment(self.name, version, *names, api.find(self._target, outputs), outcome)

    def _answering(self, version: int) -> dict[str, str]:
        """Return the stack's outputs, if the stage still has a version.

        Raises
        ------
        ReplacedError
            If somebody removed the stage, or brought it to another version.
        """
        outputs = self._stack.outputs()
        if (now := _version(outputs)) != version:
            has = "is removed" if now is None else f"has version {now} now"
            raise ReplacedError(
                f"stage {self.name} {has}: somebody came in between. `boostline deploy "
                f"{self.name} --version {version}` brings version {version} there, and tests it"
            )
        return outputs

    def _require_approved(self, package: Mapping[str, Any], before: int | None) -> None:
        if withdrawn := self._withdrawn(package):
            back = self._back(int(package["ModelPackageVersion"]), before)
            raise StackError(f"stage {self.name}: {withdrawn}{back}")

    def _back(self, version: int, before: int | None) -> str:
        """Go back to what the stage had, if it may be there; say what came of it."""
        if before is None or before == version:
            return f"; there is nothing to go back to: `boostline destroy {self.name}` ends it"
        package = registry.version(self._home, self._config.name, before)
        if withdrawn := self._withdrawn(package):
            return f"; there is no way back, since {withdrawn}"
        with opened(self._home, package) as artifact:
            self._changed(package, artifact)
        return f"; version {before} answers again"

    def _changed(self, package: dict[str, Any], artifact: Artifact) -> bool:
        """Bring the stack to a version; say whether that changed anything."""
        version = int(package["ModelPackageVersion"])
        planned = self._planned(package, artifact)
        if planned is None:
            return False
        self._report(f"stack {self._stack.name}: version {version}")
        for kind in dict.fromkeys(change.kind for change in planned.changes):
            names = (change.resource for change in planned.changes if change.kind == kind)
            self._report(f"{kind}: {', '.join(names)}")
        rollout = Rollout(self._target, self._stack.name)
        self._stack.apply(planned, lambda: self._withdrawn(package), rollout.end)
        return True

    def _planned(
        self, package: dict[str, Any], artifact: Artifact, clear: bool = True
    ) -> ChangeSet | None:
        template = templates.read(templates.SERVING)
        known = templates.parameters(template)
        parameters.check(self._settings.parameters, known, self.name)
        store.ensure_bucket(self._target)
        shared = Stack(self._target, templates.stack_of(self._config), self._report)
        chosen = parameters.choose(
            self._target,
            self._config,
            self.name,
            package,
            artifact.contract,
            self._stack.outputs(),
            shared.outputs(),
        )
        return self._stack.plan(template, chosen, self._config.tagging, clear=clear)

    def _withdrawn(self, package: Mapping[str, Any]) -> str:
        """Return why a version must not go on being rolled out."""
        status = registry.describe(self._home, package)["ModelApprovalStatus"]
        number = package["ModelPackageVersion"]
        return "" if status == "Approved" else f"version {number} is {status}"

    def _test(self, package: dict[str, Any], artifact: Artifact) -> Outcome:
        """Test a version that the stage has, until nothing has changed the stage meanwhile."""
        version = int(package["ModelPackageVersion"])
        capture = f"s3://{self._target.bucket}/capture/{self._config.name}/{self.name}/"
        percent = self._settings.capture_percent
        expected = Expected(
            f"{self._config.name}/{version}",
            artifact.contract,
            artifact.golden,
            self._settings.latency_ms,
            capture if percent else None,
            percent,
        )
        before = self._stack.change()
        while True:
            found = api.find(self._target, self._answering(version))
            self._report(f"smoke test of {found.url}")
            outcome = SmokeTest(self._target, found, expected).run()
            self._report(str(outcome))
            after = self._stack.change()
            self._answering(version)
            if after == before:
                return outcome
            self._report("the stage was changed meanwhile: it is tested again")
            before = after


@contextmanager
def opened(target: Target, package: Mapping[str, Any]) -> Iterator[Artifact]:
    """Give the artifact of a version, for as long as the block lasts."""
    bucket, key = split_uri(registry.model_uri(package))
    with tempfile.TemporaryDirectory(prefix="boostline-") as folder:
        archive = Path(folder, "model.tar.gz")
        target.client("s3").download_file(bucket, key, str(archive))
        yield open_archive(archive, Path(folder, "model"))


def name_of(config: Config, stage: str) -> str:
    """Return the name of a stage's stack, endpoint, function and API.

    No project's name holds the two hyphens, so no two stages share one.
    """
    return f"{config.name}--{stage}"


def _version(outputs: Mapping[str, str]) -> int | None:
    return int(outputs["ModelPackageArn"].rpartition("/")[2]) if outputs else None
