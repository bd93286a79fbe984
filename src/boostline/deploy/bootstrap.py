"""What an account and a project need before a stage is deployed, as CloudFormation stacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boostline.contracts.errors import BoostlineError
from boostline.deploy import templates
from boostline.deploy.stack import Change, ChangeSet, Stack
from boostline.project.config import PROJECT_TAG, Aws, Config, default_bucket
from boostline.project.target import KEY, Target

STARTS, CODEPIPELINE = "ApprovalStarts", "codepipeline"
# Without it there is no CodePipeline, which would have nothing to read the project from.
CONNECTION = "ConnectionArn"
# In the project's account, the one that reads versions; in that one, where they come from.
READER, REGISTRY, REGISTRY_BUCKET = "ProdAccountId", "RegistryAccountId", "RegistryBucket"
REGISTRY_KEY = "RegistryKmsKeyArn"
# What comes of the project and the target, and is nobody's to give.
OWN = ("Project", "Bucket", "BucketName", "DeployerPolicyArn")
TEMPLATES = (templates.ACCOUNT, templates.PROJECT, templates.PIPELINE)


class ParameterError(BoostlineError):
    """A parameter that no template takes, or that the account cannot get any more."""

    exit_code = 2


@dataclass(frozen=True)
class Plan:
    """What would happen to a stack; `changes` are None if that is not known yet."""

    stack: str
    changes: Sequence[Change] | None


class Bootstrap:
    """The stacks of an account and of a project, one after another.

    `[aws.parameters]` are those of their templates, by name; each goes to every template that has
    it. Of the account's stack, which projects share, what is not given stays as it is. On the local
    platform an approval starts what stands for the project's CodePipeline, unless something else is
    given.

    Parameters
    ----------
    target, config
        The project, and where.
    report
        Is told what happens, in a few words.

    Raises
    ------
    ParameterError
        If `[aws.parameters]` has one that no template takes, or that is not the user's to give.
    """

    def __init__(self, target: Target, config: Config, report: Callable[[str], object]) -> None:
        self._target = target
        self._config = config
        self._report = report
        given = config.aws.parameters if config.aws else {}
        self._given = _implied(target, config, given) | given
        self._texts = {name: templates.read(name) for name in TEMPLATES}
        every = {name for text in self._texts.values() for name in templates.parameters(text)}
        if why := templates.refusal(self._given, every - {*OWN}, "aws.parameters"):
            raise ParameterError(why)

    def plan(self) -> list[Plan]:
        """Return what would happen, and let nothing happen."""
        plans = []
        for name, stack in self._stacks():
            own = self._own(name)
            if own is None:
                plans.append(Plan(stack.name, None))
                continue
            planned = self._planned(name, stack, own)
            if planned is not None:
                stack.discard(planned)
            plans.append(Plan(stack.name, planned.changes if planned else ()))
        return plans

    def apply(self) -> dict[str, str]:
        """Bring every stack to what its template says; return the outputs of all.

        Raises
        ------
        StackError
            If one of them does not come about. Those before it stay.
        """
        outputs: dict[str, str] = {}
        for name, stack in self._stacks():
            planned = self._planned(name, stack, self._own(name) or {})
            self._report(f"stack {stack.name}{'' if planned else ': nothing would change'}")
            if planned is not None:
                for change in planned.changes:
                    self._report(str(change))
                stack.apply(planned)
            outputs |= stack.outputs()
        return outputs

    def _stacks(self) -> Iterator[tuple[str, Stack]]:
        """Give templates and stacks in the order of their making."""
        yield templates.ACCOUNT, self._stack(templates.ACCOUNT_STACK)
        project = templates.stack_of(self._config)
        yield templates.PROJECT, self._stack(project)
        builds = self._target.name == "aws" or CONNECTION in self._given
        if self._given.get(STARTS) == CODEPIPELINE and builds:
            # No project's name has a capital: this is the stack of no other one.
            yield templates.PIPELINE, self._stack(f"{project}-CodePipeline")

    def _stack(self, name: str) -> Stack:
        return Stack(self._target, name, self._report)

    def _own(self, template: str) -> dict[str, str] | None:
        """Return the parameters that come of project and target; None if they are not known yet."""
        bucket = self._target.bucket
        if template == templates.ACCOUNT:
            return {"BucketName": bucket}
        own = {"Project": self._config.name, "Bucket": bucket}
        if template == templates.PIPELINE:
            account = self._stack(templates.ACCOUNT_STACK).outputs()
            if "DeployerPolicyArn" not in account:
                return None
            own["DeployerPolicyArn"] = account["DeployerPolicyArn"]
        return own

    def _planned(self, name: str, stack: Stack, own: Mapping[str, str]) -> ChangeSet | None:
        known = templates.parameters(self._texts[name])
        chosen = {each: text for each, text in self._given.items() if each in known} | dict(own)
        tags = self._config.tagging
        if name == templates.ACCOUNT:
            there = stack.describe() or {}
            self._check_bucket(stack.outputs().get("BucketName", own["BucketName"]))
            chosen = _parameters(there, known) | chosen
            tags = [tag for tag in tags if not tag["Key"].startswith(PROJECT_TAG)]
            tags = there.get("Tags") or tags
        return stack.plan(self._texts[name], chosen, tags, adopt=True)

    def _check_bucket(self, name: str) -> None:
        if name != self._target.bucket:
            raise ParameterError(
                f"projects of account {self._target.account} share the bucket {name}, and this one "
                f'wants {self._target.bucket}: say [aws] bucket = "{name}"'
            )


def of_stage(config: Config, stage: str) -> Config:
    """Return a project as the account of a stage has it: its roles alone, the versions elsewhere.

    Raises
    ------
    ParameterError
        If the stage is in no other account than the project.
    """
    home = config.aws
    there = config.stages[stage].aws if stage in config.stages else None
    if home is None or there is None or there.account == home.account:
        raise ParameterError(
            f"stage {stage!r} is in no account of its own: [stages.{stage}.aws] account names one"
        )
    bucket = home.bucket or default_bucket(home.account, home.region)
    registry = {REGISTRY: home.account, REGISTRY_BUCKET: bucket}
    registry |= {REGISTRY_KEY: home.parameters[KEY]} if KEY in home.parameters else {}
    own = Aws(
        account=there.account,
        region=home.region,
        bucket=there.bucket,
        parameters=there.parameters | registry,
    )
    return config.model_copy(update={"aws": own})


def _implied(target: Target, config: Config, given: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that nobody has to give."""
    if target.name == "local":
        return {STARTS: CODEPIPELINE}
    named = {stage.aws.account for stage in config.stages.values() if stage.aws}
    others = sorted(named - {target.account})
    if not others or READER in given or REGISTRY in given:
        return {}
    if len(others) > 1:
        raise ParameterError(
            f"stages are in accounts {', '.join(others)}, and the templates let one of them read "
            f"versions: name it by {READER} in [aws.parameters], and let the others read yourself"
        )
    return {READER: others[0]}


def _parameters(stack: Mapping[str, Any], known: Sequence[str]) -> dict[str, str]:
    given = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", ())}
    return {name: text for name, text in given.items() if name in known}
