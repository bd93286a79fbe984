"""The script ``boostline-container``: one program of the container, named by the first argument."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import NoReturn

from boostline.artifact.errors import ArtifactError
from boostline.container.checkpoints import EXIT_CODE, Interrupted
from boostline.container.errors import ContainerError
from boostline.container.paths import Paths
from boostline.features.errors import FeatureError

# SageMaker reads the first 1,024 characters of `failure` and the first 1 KB of `message`.
_REASON_BYTES = 1_000
_EXPECTED = (ContainerError, FeatureError, ArtifactError)


@dataclass(frozen=True)
class Program:
    """A program: the module that holds its ``run(paths)``, and where its failure reason goes."""

    module: str
    reason: str | None


PROGRAMS = {
    "process": Program("boostline.container.programs.process", "message"),
    "train": Program("boostline.container.programs.train", "failure"),
    "evaluate": Program("boostline.container.programs.evaluate", "message"),
    "serve": Program("boostline.container.programs.serve", None),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a program.

    Parameters
    ----------
    arguments
        The program's name; by default those of the command line.

    Returns
    -------
    int
        The exit code: 0, or 1 after a failure, 2 for a wrong name, 143 for a training that ended on
        SIGTERM and can be resumed.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    program = PROGRAMS.get(given[0]) if len(given) == 1 else None
    if program is None:
        print(f"usage: boostline-container {{{'|'.join(PROGRAMS)}}}", file=sys.stderr)
        return 2
    paths = Paths.from_environment()
    if program.reason is not None and os.getpid() == 1:
        # The first process of a container has no default actions: SIGTERM would not end it.
        signal.signal(signal.SIGTERM, _end)
    try:
        run: Callable[[Paths], None] = import_module(program.module).run
        run(paths)
    except Interrupted as reason:
        print(reason, file=sys.stderr, flush=True)
        return EXIT_CODE
    except _EXPECTED as error:
        return _fail(program, paths, str(error))
    except Exception as error:
        traceback.print_exc()
        return _fail(program, paths, f"unexpected {type(error).__name__}: {error} (see the log)")
    return 0


def _fail(program: Program, paths: Paths, reason: str) -> int:
    print(f"error: {reason}", file=sys.stderr, flush=True)
    if program.reason is not None:
        try:
            _write_reason(paths.output / program.reason, reason)
        except OSError as error:
            print(f"error: the reason is not kept: {error}", file=sys.stderr, flush=True)
    return 1


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(EXIT_CODE)  # as the default action ends it, whatever runs


def _write_reason(path: Path, reason: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Cut between characters: SageMaker fails a job whose message is not UTF-8.
    text = reason.encode(errors="replace")[:_REASON_BYTES].decode(errors="ignore")
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
