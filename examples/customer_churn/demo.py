"""The whole way on this machine, from the churn table to a REST answer: `make demo`.

Every line that starts with `$` is a command that anyone can type. The platform's state is in a
folder of its own, made anew each time and removed at the end.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
BOOSTLINE = Path(sys.executable).with_name("boostline")


def show(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def on_event(program: Path, project: Path) -> str:
    """Return the value of --on-event that an approval starts: paths may hold spaces."""
    command = (str(program), "deploy", "staging", "--project", str(project))
    return f"*:codepipeline:*={shlex.join(command)}"


@contextmanager
def platform(folder: Path) -> Iterator[None]:
    """Run the local platform in a folder until the block ends."""
    # What an approval starts: in the cloud CodePipeline or GitHub Actions, here a command.
    approved = "*:codepipeline:*=boostline deploy staging"
    show(f"$ boostline up --on-event {shlex.quote(approved)} &")
    approved = on_event(BOOSTLINE, HERE)
    command = [str(BOOSTLINE), "up", "--port", "0", "--dir", str(folder), "--on-event", approved]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is not None:
                show(process.stdout.readline().rstrip())
            yield
        finally:
            process.terminate()


def boostline(*arguments: str) -> None:
    """Run a command on the example project, as a person would."""
    show(f"\n$ boostline {shlex.join(arguments)}")
    subprocess.run([BOOSTLINE, *arguments], cwd=HERE, check=True)


def curl(url: str, *arguments: str) -> int:
    """Send the sample request with curl; return the HTTP status."""
    sample = [*arguments, "--data-binary", "@sample_request.json", url]
    show(f"\n$ curl {shlex.join(sample)}")
    answer = subprocess.run(
        ["curl", "--silent", "--show-error", "--write-out", "\nHTTP %{http_code}", *sample],
        cwd=HERE,
        check=True,
        capture_output=True,
        text=True,
    )
    show(answer.stdout)
    return int(answer.stdout.rpartition(" ")[2])


def main() -> None:
    """Walk the line; any step that does not do its work ends the demo with its exit code."""
    if shutil.which("curl") is None:
        sys.exit("the demo needs curl: install it, and run make demo again")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="boostline-demo-") as folder:
        os.environ["BOOSTLINE_DIR"] = folder
        with platform(Path(folder)):
            boostline("aws", "bootstrap")
            boostline("run")
            boostline("models", "approve", "--reason", "the gates hold")
            show("\nThe approval has started the deployment to staging; this waits for it:")
            boostline("deploy", "staging")
            boostline("deploy", "prod")
            deployed = subprocess.run(
                [BOOSTLINE, "api", "show", "--stage", "prod", "--json"],
                cwd=HERE,
                check=True,
                capture_output=True,
            )
            api = json.loads(deployed.stdout)
            key = f"x-api-key: {api['apiKey']}"
            content = ("-H", "content-type: application/json")
            accepted = curl(f"{api['url']}/predict", *content, "-H", key)
            refused = curl(f"{api['url']}/predict", *content)
    if (accepted, refused) != (200, 403):
        sys.exit(f"expected 200 with the key and 403 without it, not {accepted} and {refused}")
    show(
        f"\nFrom the table to the answer in {time.monotonic() - began:.0f} s; all of it is stopped."
    )
    show(
        f"""
What to do next:
  source {shlex.quote(str(Path(sys.executable).with_name("activate")))}
  boostline up                                   # a platform, in a terminal of its own; in another
                                                 # one the first line again, and
  cd {os.path.relpath(HERE)} && boostline run    # the same pipeline; edit boostline.toml
  boostline new churn2 --data data/churn.csv --label 'Churn?'    # or your own table
  eval "$(boostline env)"    # and boto3, or your AWS CLI, works on the platform
The README tells the rest."""
    )


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)
    except KeyboardInterrupt:
        sys.exit(130)
