"""`make test-aws`: the whole line on AWS, which costs money; or on the local platform, for nothing.

It has to be asked for: `BOOSTLINE_AWS_TEST=1`, the account as `BOOSTLINE_AWS_ACCOUNT`, which must
be the one of the credentials, and the region as `BOOSTLINE_AWS_REGION`. docs/aws.md says more.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

from boostline.contracts import address
from boostline.contracts.errors import BoostlineError
from boostline.project import file, target
from tests.aws import costs
from tests.aws.line import Line, uninterrupted
from tests.aws.place import Place

WORD, ACCOUNT, REGION = "BOOSTLINE_AWS_TEST", "BOOSTLINE_AWS_ACCOUNT", "BOOSTLINE_AWS_REGION"
ASKED = f"""
It makes what it needs in an account, runs for about an hour, and removes all of it. To run it:
  {WORD}=1 {ACCOUNT}=<12 digits> {REGION}=<region> make test-aws
with credentials of that account which may make roles. The account must not be one that Boostline
is used in: the test would remove its bucket and its repositories, so it refuses to start there."""


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Run the test; return its exit code: 2 if it was not asked for, 3 if it may not run there."""
    given = _parser().parse_args(arguments)
    where, run = given.target, given.remove or secrets.token_hex(3)
    print(*costs.estimate(), sep="\n")
    if where == "local":
        print("(nothing of it here: this is the local platform)")
        found = address.read(address.default_folder())
        aws = {"account": found.account, "region": found.region} if found else {}
    else:
        aws = {
            name: environment.get(variable, "")
            for name, variable in (("account", ACCOUNT), ("region", REGION))
        }
        if environment.get(WORD) != "1" or not all(aws.values()):
            print(ASKED)
            return 2
    with tempfile.TemporaryDirectory(prefix="boostline-test-") as folder:
        line = Line(Path(folder, "project"), run, where, aws)
        try:
            place = _place(line, where, run)
            occupied = [] if given.remove else [*place.occupied()]
        except (BoostlineError, BotoCoreError, ClientError) as error:
            print(error, file=sys.stderr)
            return 3
        if occupied:
            print(f"there already: {', '.join(occupied)}{ASKED}", file=sys.stderr)
            return 3
        print(f"the project is {line.name}; if all else fails: make test-aws REMOVE={run}\n")
        return _there_and_back(line, place, only_back=bool(given.remove))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make test-aws")
    parser.add_argument("--target", choices=["aws", "local"], default="aws")
    parser.add_argument("--remove", metavar="RUN", help="only remove what such a run has left")
    return parser


def _place(line: Line, where: str, run: str) -> Place:
    config = file.read(line.folder)
    here = target.aws(config) if where == "aws" else target.local(address.default_folder())
    if where == "aws":
        settings = here.client("apigateway").get_account()
        if settings.get("cloudwatchRoleArn"):  # somebody's, and it stays so
            line.parameter("ApiGatewayLogs", "false")
    return Place(here, config, run)


def _there_and_back(line: Line, place: Place, only_back: bool) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    failures: list[str] = []
    try:
        if not only_back:
            line.forth()
    except KeyboardInterrupt:
        failures.append("interrupted")
    except Exception as error:  # whatever it is, everything is removed first
        failures.append(str(error) or repr(error))
    finally:
        with uninterrupted():
            print("\nremoving everything; this goes on until it is done", flush=True)
            failures += line.back(place.removals())
            failures += [f"left behind: {each}" for each in place.leftovers()]
    print(*_verdict(failures, line), sep="\n")
    return 1 if failures else 0


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _verdict(failures: list[str], line: Line) -> Iterator[str]:
    yield from (f"FAILED {each}" for each in failures)
    if any(each.startswith("left behind") for each in failures):
        yield f"All that is left has the name {line.name} in it, or its tag: remove it by hand."
    yield "failed" if failures else "passed; nothing is left"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
