"""Processing jobs: what the processing container finds under `/opt/ml`, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

from boostline.contracts.models import service_model
from boostline.local.engine.work import (
    JobFailed,
    Launch,
    Upload,
    Work,
    call,
    configure,
    download,
    head,
    inside,
)
from boostline.local.platform import Platform
from boostline.local.runners.base import ML
from boostline.local.store.resources import Document

MESSAGE_LENGTH = 1024  # bytes of /opt/ml/output/message that are read


class Processing(Work):
    """Processing jobs; see `Work`. Source: "How Amazon SageMaker Processing runs your container".

    Outputs of mode Continuous are published when the job ends, however it ends.
    """

    stem = "Processing"

    def lay_out(self, platform: Platform, document: Document, ml: Path) -> None:
        """Write the configuration, download the inputs, make the outputs' folders."""
        request = service_model("sagemaker").operation_model("CreateProcessingJob").input_shape
        shown = request.members.keys() - {"Tags"} | {"ProcessingJobArn"}
        configure(
            ml / "config",
            processingjobconfig={member: document.get(member) for member in sorted(shown)},
            resourceconfig={"current_host": "algo-1", "hosts": ["algo-1"]},
        )
        for name in ("processing", "output"):
            (ml / name).mkdir(parents=True)
        for given in document.get("ProcessingInputs", []):
            source = given["S3Input"]
            download(platform, source["S3Uri"], inside(ml, source["LocalPath"]), given["InputName"])
        for output in _outputs(document):
            inside(ml, output["LocalPath"]).mkdir(parents=True, exist_ok=True)

    def launch(self, document: Document) -> Launch:
        """Return the image's command, overridden as Docker does."""
        application = document["AppSpecification"]
        return Launch(call(application["ImageUri"], application), document.get("Environment", {}))

    def message(self, ml: Path) -> str:
        """Return the beginning of `/opt/ml/output/message`, which must be UTF-8."""
        data = head(ml / "output/message", MESSAGE_LENGTH + 1)
        cut = len(data) > MESSAGE_LENGTH
        try:
            return data[:MESSAGE_LENGTH].decode("utf-8", "ignore" if cut else "strict").strip()
        except UnicodeDecodeError as error:
            where = f"{ML}/output/message is not UTF-8 at byte {error.start}"
            raise JobFailed(f"ClientError: {where}") from None

    def uploads(self, document: Document, ml: Path, status: str) -> list[Upload]:
        """Return the outputs; of a job that did not complete, only those of mode Continuous."""
        return [
            Upload(inside(ml, output["LocalPath"]), output["S3Uri"])
            for output in _outputs(document)
            if status == "Completed" or output["S3UploadMode"] == "Continuous"
        ]


def _outputs(document: Document) -> list[Document]:
    outputs = document.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return [output["S3Output"] for output in outputs]
