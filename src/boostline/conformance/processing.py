"""The checks of a processing container."""

from __future__ import annotations

from dataclasses import replace

from boostline.conformance.bench import Bench, Check, Fails, NotApplicable
from boostline.conformance.inputs import JobInput
from boostline.conformance.jobs import Job, lay_processing, links, must_succeed, outputs, run

MESSAGE = "output/message"
MESSAGE_LENGTH = 1_024  # bytes
COMPLETES, FAILS = "processing.completes", "processing.failure-exit"


def given(bench: Bench) -> JobInput:
    """Return the processing job that was given."""
    if bench.inputs.processing is None:
        raise NotApplicable("give --processing, a folder of inputs")
    return bench.inputs.processing


def completed(bench: Bench) -> Job:
    """Process to the end."""
    return must_succeed(run(bench, lay_processing(bench, given(bench))))


def failed(bench: Bench) -> Job:
    """Process inputs that hold nothing, which must fail."""
    job = run(bench, lay_processing(bench, given(bench), empty=True))
    if job.code is None:
        raise Fails(f"without data, {job.ending}")
    if job.code == 0:
        raise Fails("without any data it ends with exit code 0, as if it had processed them")
    return job


def _completes(bench: Bench) -> None:
    bench.once(completed)


def _outputs(bench: Bench) -> None:
    job = bench.need(completed, COMPLETES)
    places = outputs(given(bench).request)
    if not places:
        raise NotApplicable("job.json has no ProcessingOutputConfig.Outputs")
    for place in places:
        if not any(path.is_file() for path in (job.folder / place).rglob("*")):
            raise Fails(f"output /opt/ml/{place} holds no file after the job")


def _plain_files(bench: Bench) -> None:
    job = bench.need(completed, COMPLETES)
    for place in outputs(given(bench).request):
        if found := links(job.folder / place):
            raise Fails(f"/opt/ml/{place}/{found[0]} is no plain file: it would not be stored")


def _failure_exit(bench: Bench) -> None:
    bench.once(failed)


def _message(bench: Bench) -> None:
    path = bench.need(failed, FAILS).folder / MESSAGE
    if not path.is_file() or not path.read_bytes().strip():
        raise Fails(f"it failed without a word in /opt/ml/{MESSAGE}")


def _message_text(bench: Bench) -> None:
    job = bench.need(failed, FAILS)
    path = job.folder / MESSAGE
    if not path.is_file():
        raise NotApplicable(f"it wrote no /opt/ml/{MESSAGE}")
    data = path.read_bytes()
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise Fails(f"/opt/ml/{MESSAGE} is not UTF-8 at byte {error.start}") from None


def _message_length(bench: Bench) -> None:
    path = bench.need(failed, FAILS).folder / MESSAGE
    if not path.is_file():
        raise NotApplicable(f"it wrote no /opt/ml/{MESSAGE}")
    if (size := path.stat().st_size) > MESSAGE_LENGTH:
        raise Fails(f"/opt/ml/{MESSAGE} has {size} bytes: the end of it is lost")


def _sealed(bench: Bench) -> None:
    bench.need(completed, COMPLETES)
    if not bench.subject.seals:
        raise NotApplicable("only an image's root can be made read-only")
    must_succeed(run(bench, replace(lay_processing(bench, given(bench)), sealed=True)))


CHECKS = (
    Check(
        COMPLETES,
        "must",
        "The image's own command, or the request's, runs on inputs below /opt/ml/processing; "
        "exit code 0 is Completed. processingjobconfig.json has null where nothing is set.",
        _completes,
    ),
    Check(
        "processing.outputs",
        "should",
        "Every output's folder, there before the start, holds files at the end.",
        _outputs,
    ),
    Check(
        "processing.plain-files",
        "must",
        "What is to be kept is a file: links are not followed.",
        _plain_files,
    ),
    Check(FAILS, "must", "A job that failed does not end with 0.", _failure_exit),
    Check(
        "processing.message",
        "should",
        "A job that failed leaves the reason in /opt/ml/output/message.",
        _message,
    ),
    Check(
        "processing.message-text",
        "must",
        "/opt/ml/output/message is UTF-8, or the job fails.",
        _message_text,
    ),
    Check(
        "processing.message-length",
        "should",
        "/opt/ml/output/message has at most 1 KB: more is not read.",
        _message_length,
    ),
    Check(
        "processing.sealed",
        "should",
        "Nothing is written but in /opt/ml and /tmp.",
        _sealed,
    ),
)
