"""What commands act on: the local platform, or the AWS account and region of the project."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import boto3
import botocore.session
from botocore.config import Config as ClientConfig
from botocore.credentials import DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError

from boostline import __version__
from boostline.contracts import address, strict
from boostline.contracts.address import Address
from boostline.contracts.errors import BoostlineError
from boostline.project.config import Aws, Config, default_bucket

KEY = "KmsKeyArn"  # among the parameters of the account's templates
DEFAULT_FLAVORS = frozenset({"xgboost", "sklearn"})  # of the image that `make images` makes
_NOTHING = (None, None, None, None)
_EMPTY_FILE = (None, None, os.devnull, None)


class TargetError(BoostlineError):
    """The target is not there, or is not the one that the project names."""

    exit_code = 3


class StageError(BoostlineError):
    """What was given is no stage of the project."""

    exit_code = 2


@dataclass(frozen=True)
class Target:
    """An account and region, with the session that reaches it.

    Every call of its clients is checked against botocore's models before it is sent: names, types,
    enums, patterns, lengths.
    """

    name: Literal["local", "aws"]
    account: str
    region: str
    session: boto3.Session
    endpoint: str | None = None
    aws: Aws | None = None
    address: Address | None = None

    def exports(self) -> dict[str, str]:
        """Return the environment in which other AWS clients act on the same target."""
        if self.address is None:
            return {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}
        return self.address.exports()

    def client(self, service: str, **config: Any) -> Any:
        """Return a boto3 client; `config` are members of botocore's `Config`."""
        if self.endpoint is not None:
            # What a person's environment says of proxies and endpoints is meant for the real AWS.
            config = {"proxies": {}, "use_fips_endpoint": False, **config}
        client = self.session.client(
            service, endpoint_url=self.endpoint, config=ClientConfig(**config)
        )
        strict.install(client)
        return client

    def execution_arn(self, pipeline: str, execution: str) -> str:
        """Return the ARN of an execution, given by its id or its ARN."""
        if execution.startswith("arn:"):
            return execution
        where = f"{self.region}:{self.account}:pipeline/{pipeline}"
        return f"arn:aws:sagemaker:{where}/execution/{execution}"

    @property
    def role(self) -> str:
        """The ARN of the role that jobs, models and functions run as.

        Raises
        ------
        TargetError
            If the project names none.
        """
        if self.aws is None:
            return f"arn:aws:iam::{self.account}:role/boostline-execution"
        role = self.aws.role
        if role is None:
            raise TargetError(
                "[aws] has no role: `boostline aws bootstrap` makes one in account "
                f"{self.account}, and shows it"
            )
        return role if role.startswith("arn:") else f"arn:aws:iam::{self.account}:role/{role}"

    @property
    def bucket(self) -> str:
        """The bucket of all that Boostline stores."""
        named = self.aws.bucket if self.aws else None
        return named or default_bucket(self.account, self.region)

    @property
    def key(self) -> str | None:
        """The ARN of the KMS key of all that Boostline stores; None for AWS's own keys."""
        return self.aws.parameters.get(KEY) if self.aws else None

    def image(self, flavor: str) -> str:
        """Return the URI of the model image that has a flavor, as `images/build` tags it."""
        named = self.aws.image if self.aws else None
        registry = f"{self.account}.dkr.ecr.{self.region}.amazonaws.com"
        other = "" if flavor in DEFAULT_FLAVORS else f"-{flavor}"
        return named or f"{registry}/boostline-model:{__version__}{other}"


def local(folder: Path) -> Target:
    """Return the local platform that runs in a folder.

    Whatever environment and profile files of the caller say of credentials, endpoints, regions and
    proxies, the requests go to the platform, signed with its key.

    Raises
    ------
    TargetError
        If none runs there.
    """
    found = address.read(folder)
    if found is None or not _alive(found.pid):
        raise TargetError(
            f"no local platform runs in {folder}: start one with `boostline up`, or say where it "
            f"is with --dir or ${address.VARIABLE}"
        )
    core = botocore.session.Session(
        {"profile": _NOTHING, "config_file": _EMPTY_FILE, "credentials_file": _EMPTY_FILE}
    )
    session = boto3.Session(
        aws_access_key_id=found.access_key,
        aws_secret_access_key=found.secret_key,
        region_name=found.region,
        botocore_session=core,
    )
    return Target("local", found.account, found.region, session, found.endpoint, address=found)


def aws(config: Config) -> Target:
    """Return the AWS account of a project, once AWS itself has confirmed that it is the one.

    Raises
    ------
    TargetError
        If the project names none, if there are no credentials, or if they are another account's.
    """
    if config.aws is None:
        raise TargetError(
            f"--target aws needs [aws] account and region in {config.root / 'boostline.toml'}"
        )
    session = _session(config.aws.region)
    target = Target("aws", config.aws.account, config.aws.region, session, aws=config.aws)
    return _confirmed(target, "[aws]")


def of_stage(home: Target, config: Config, stage: str) -> Target:
    """Return where a stage is deployed: where its project is, or in the account that it names.

    There it acts as the stage's `deployer_role`, which it assumes with the project's credentials,
    anew whenever those of the role expire. The local platform has one account, and stays it.

    Raises
    ------
    StageError
        If the project has no such stage.
    TargetError
        If no role is named, if it cannot be assumed, or if it is of another account.
    """
    if stage not in config.stages:
        raise StageError(
            f"stage {stage!r}: the project has {', '.join(config.stages)}; a table "
            f"[stages.{stage}] in boostline.toml would make it one"
        )
    there = config.stages[stage].aws
    if there is None or home.name == "local":
        return home
    if there.deployer_role is None:
        raise TargetError(
            f"[stages.{stage}.aws] has no deployer_role: `boostline aws bootstrap --stage {stage}` "
            "with credentials of that account makes one and shows it"
        )
    session = _session(home.region, _assumed(home, there.deployer_role, stage))
    own = Aws(account=there.account, region=home.region, bucket=there.bucket)
    target = replace(home, account=there.account, session=session, aws=own)
    return _confirmed(target, f"[stages.{stage}.aws]")


def _assumed(home: Target, role: str, stage: str) -> DeferredRefreshableCredentials:
    """Return credentials that are fetched when they are needed: a rollout may outlive them."""
    sts = home.client("sts")

    def fetch() -> dict[str, str]:
        found = sts.assume_role(RoleArn=role, RoleSessionName=f"boostline-{stage}")["Credentials"]
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "token": found["SessionToken"],
            "expiry_time": found["Expiration"].isoformat(),
        }

    return DeferredRefreshableCredentials(fetch, "assume-role")


def _session(
    region: str, credentials: DeferredRefreshableCredentials | None = None
) -> boto3.Session:
    core = botocore.session.Session()
    if credentials is not None:
        found = SimpleNamespace(load_credentials=lambda: credentials)
        core.register_component("credential_provider", found)
    try:
        return boto3.Session(region_name=region, botocore_session=core)
    except BotoCoreError as error:  # for example a profile that is not there
        raise TargetError(f"--target aws: {error}") from None


def _confirmed(target: Target, section: str) -> Target:
    """Return a target once AWS has said that its credentials are of its account."""
    try:
        account = target.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise TargetError(
            f"--target aws, {section}: AWS does not say whose credentials these are: {error}"
        ) from None
    if account != target.account:
        raise TargetError(
            f"--target aws: these credentials are of account {account}, and {section} account is "
            f"{target.account}: nothing was done"
        )
    return target


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
