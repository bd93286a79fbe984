"""Pipelines and their executions."""

from __future__ import annotations

import time
from typing import Any

from boostline.contracts.pipeline import DefinitionError, decode
from boostline.local.engine import preflight
from boostline.local.engine.executions import Executions
from boostline.local.engine.record import EXECUTION, STEP
from boostline.local.engine.selection import ExecutionError
from boostline.local.engine.values import ParameterError, arguments
from boostline.local.services.sagemaker.jobs import JobOperations
from boostline.local.services.sagemaker.listing import Listing, listing
from boostline.local.services.sagemaker.part import last_part
from boostline.local.store.objects import NoSuchBucket, NoSuchKey
from boostline.local.store.resources import Document
from boostline.local.wire.errors import AwsError, invalid

PIPELINE = "pipeline"
PIPELINES = Listing(
    "PipelineSummaries",
    "PipelineName",
    order="Descending",
    renamed={"LastExecutionTime": "LastRunTime"},
)
EXECUTIONS = Listing(
    "PipelineExecutionSummaries",
    "PipelineExecutionArn",
    order="Descending",
    renamed={
        "StartTime": "CreationTime",
        "PipelineExecutionFailureReason": "FailureReason",
    },
)
STEPS = Listing("PipelineExecutionSteps", "StepName", created="StartTime", order="Descending")
PARAMETERS = Listing("PipelineParameters", "Name")
NOT_KEPT = ("PipelineDefinition", "PipelineDefinitionS3Location", "ClientRequestToken", "Tags")


class PipelineOperations(JobOperations):
    """Pipelines; the engine runs their executions."""

    executions: Executions

    def create_pipeline(self, request: Document) -> Document:
        """Make a pipeline, if its definition can run here."""
        token, name = request["ClientRequestToken"], request["PipelineName"]
        definition = self._definition(request)
        arn = self.arn(f"{PIPELINE}/{name}")
        document = {
            "PipelineDisplayName": name,
            **_kept(request),
            "PipelineArn": arn,
            "PipelineDefinition": definition,
            "PipelineStatus": "Active",
            "CreatedBy": {},
            "LastModifiedBy": {},
        }
        taken = invalid(
            "Pipeline names must be unique within an AWS account and region. "
            f"Pipeline with name ({name}) already exists."
        )
        with self.platform.database.transaction():
            known = self.once("CreatePipeline", token)
            if known is not None:
                return known
            tags = {"Tags": request["Tags"]} if "Tags" in request else {}
            self.add(PIPELINE, name, document | tags, taken)
            return self.note("CreatePipeline", token, PipelineArn=arn)

    def update_pipeline(self, request: Document) -> Document:
        """Change a pipeline; executions that run keep the definition they began with."""
        pipeline = self._pipeline(request["PipelineName"])
        members = _kept(request)
        members["PipelineName"] = pipeline["PipelineName"]
        if "PipelineDefinition" in request or "PipelineDefinitionS3Location" in request:
            members["PipelineDefinition"] = self._definition(request)
        self.platform.resources.update(PIPELINE, pipeline["PipelineName"], **members)
        return {"PipelineArn": pipeline["PipelineArn"]}

    def describe_pipeline(self, request: Document) -> Document:
        """Return a pipeline, by name or ARN."""
        return self._pipeline(request["PipelineName"])

    def delete_pipeline(self, request: Document) -> Document:
        """Remove a pipeline that is not running, with its executions."""
        token = request["ClientRequestToken"]
        if (known := self.once("DeletePipeline", token)) is not None:
            return known
        pipeline = self._pipeline(request["PipelineName"])
        name, arn = pipeline["PipelineName"], pipeline["PipelineArn"]
        with self.platform.database.transaction():
            for execution in self.platform.resources.list(EXECUTION, name):
                if execution["PipelineExecutionStatus"] in ("Executing", "Stopping"):
                    running = execution["PipelineExecutionArn"]
                    why = f"its execution {running} runs; stop it first"
                    message = f"Pipeline {arn} cannot be deleted: {why}"
                    raise AwsError("ConflictException", message)
            self.executions.forget(name)
            self.drop(PIPELINE, name)
            return self.note("DeletePipeline", token, PipelineArn=arn)

    def list_pipelines(self, request: Document) -> Document:
        """Return pipelines, newest first unless asked otherwise."""
        return listing(PIPELINES, self.platform.resources.list(PIPELINE), request)

    def start_pipeline_execution(self, request: Document) -> Document:
        """Start an execution with the given parameters and the defaults of the others."""
        token = request["ClientRequestToken"]
        pipeline = self._pipeline(request["PipelineName"])
        for member in ("PipelineVersionId", "PipelineVersionAlias"):
            if member in request:
                raise invalid(f"{member}: the local platform does not have this")
        given = {pair["Name"]: pair["Value"] for pair in request.get("PipelineParameters", [])}
        with self.platform.database.transaction():
            known = self.once("StartPipelineExecution", token)
            if known is not None:
                return known
            try:
                definition = decode(pipeline["PipelineDefinition"])
                values = arguments(definition.parameters, given)
                preflight.check(definition, values, self.checks)
                execution = self.executions.create(pipeline, request, values)
            except (ParameterError, DefinitionError, ExecutionError) as error:
                raise invalid(str(error)) from None
            changed = pipeline["LastModifiedTime"]
            name = pipeline["PipelineName"]
            self.platform.resources.update(
                PIPELINE, name, LastRunTime=time.time(), LastModifiedTime=changed
            )
            arn = execution["PipelineExecutionArn"]
            answer = self.note("StartPipelineExecution", token, PipelineExecutionArn=arn)
        self.executions.start(execution)
        return answer

    def retry_pipeline_execution(self, request: Document) -> Document:
        """Go on with an execution that failed or was stopped, from what has succeeded."""
        token = request["ClientRequestToken"]
        with self.platform.database.transaction():
            known = self.once("RetryPipelineExecution", token)
            if known is not None:
                return known
            execution = self._in_status(request, "Failed", "Stopped")
            try:
                execution = self.executions.retry(execution, request)
            except ExecutionError as error:
                raise invalid(str(error)) from None
            arn = execution["PipelineExecutionArn"]
            answer = self.note("RetryPipelineExecution", token, PipelineExecutionArn=arn)
        self.executions.start(execution)
        return answer

    def stop_pipeline_execution(self, request: Document) -> Document:
        """End an execution: its running jobs are stopped, no step starts."""
        with self.platform.database.transaction():
            execution = self._in_status(request, "Executing", "Stopping")
            self.executions.stop(execution)
        return {"PipelineExecutionArn": execution["PipelineExecutionArn"]}

    def describe_pipeline_execution(self, request: Document) -> Document:
        """Return an execution."""
        return self._execution(request["PipelineExecutionArn"])

    describe_pipeline_definition_for_execution = describe_pipeline_execution

    def list_pipeline_executions(self, request: Document) -> Document:
        """Return a pipeline's executions, newest first unless asked otherwise."""
        name = self._pipeline(request["PipelineName"])["PipelineName"]
        return listing(EXECUTIONS, self.platform.resources.list(EXECUTION, name), request)

    def list_pipeline_execution_steps(self, request: Document) -> Document:
        """Return the steps that an execution has reached, newest first unless asked otherwise."""
        if "PipelineExecutionArn" not in request:
            raise invalid("PipelineExecutionArn: whose steps are to be listed?")
        execution = self._execution(request["PipelineExecutionArn"])
        steps = self.platform.resources.list(STEP, last_part(execution["PipelineExecutionArn"]))
        return listing(STEPS, steps, request)

    def list_pipeline_parameters_for_execution(self, request: Document) -> Document:
        """Return the parameters of an execution, defaults included."""
        execution = self._execution(request["PipelineExecutionArn"])
        shown = [
            {"Name": name, "Value": _shown(value)}
            for name, value in execution["Parameters"].items()
        ]
        return listing(PARAMETERS, shown, request)

    def _definition(self, request: Document) -> str:
        inline, location = (
            request.get("PipelineDefinition"),
            request.get("PipelineDefinitionS3Location"),
        )
        if (inline is None) == (location is None):
            raise invalid("Give either PipelineDefinition or PipelineDefinitionS3Location")
        text = inline if inline is not None else self._stored(location or {})
        try:
            preflight.check(decode(text), {}, self.checks)
        except DefinitionError as error:
            raise invalid(f"Unable to parse pipeline definition: {error}") from None
        return str(text)

    def _stored(self, location: Document) -> str:
        uri = f"s3://{location['Bucket']}/{location['ObjectKey']}"
        if "VersionId" in location:
            raise invalid(f"{uri}: the local platform reads the object's last version")
        try:
            return self.platform.objects.read(uri).decode()
        except (NoSuchKey, NoSuchBucket, UnicodeDecodeError) as error:
            raise invalid(f"PipelineDefinitionS3Location {uri}: {error!r}") from None

    def _pipeline(self, name_or_arn: str) -> Document:
        name = last_part(name_or_arn)
        missing = f"Pipeline '{self.arn(f'{PIPELINE}/{name}')}' does not exist."
        return self.the(PIPELINE, name, AwsError("ResourceNotFound", missing))

    def _execution(self, arn: str) -> Document:
        missing = AwsError("ResourceNotFound", f"Pipeline execution '{arn}' does not exist.")
        found = self.the(EXECUTION, last_part(arn), missing)
        if found["PipelineExecutionArn"] != arn:
            raise missing
        return found

    def _in_status(self, request: Document, *statuses: str) -> Document:
        execution = self._execution(request["PipelineExecutionArn"])
        status = execution["PipelineExecutionStatus"]
        if status not in statuses:
            raise invalid(
                f"Pipeline execution {execution['PipelineExecutionArn']} is {status}: only one "
                f"that is {' or '.join(statuses)} can be changed so"
            )
        return execution


def _kept(request: Document) -> Document:
    return {key: value for key, value in request.items() if key not in NOT_KEPT}


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
