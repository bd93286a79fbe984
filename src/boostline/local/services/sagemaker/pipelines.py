"""Pipelines and their executions."""

from __future__ import annotations

from boostline.contracts.definition import decode
from boostline.contracts.pipeline import DefinitionError
from boostline.local.engine import preflight
from boostline.local.engine.execution import Executions
from boostline.local.engine.record import EXECUTION, STEP, number_of
from boostline.local.engine.values import arguments, text
from boostline.local.services.sagemaker.jobs import JobOperations
from boostline.local.services.sagemaker.part import Kind, Rules, once, require
from boostline.local.store.objects import NoSuchBucket, NoSuchKey
from boostline.local.store.resources import Document
from boostline.local.wire.documents import read_json
from boostline.local.wire.errors import AwsError, invalid

PIPELINE = Kind(
    "Pipeline",
    missing="Pipeline '{arn}' does not exist.",
    missing_code="ResourceNotFound",
    taken="Pipeline names must be unique within an AWS account and region. "
    "Pipeline with name ({name}) already exists.",
)
RULES: Rules = {
    "PipelineDefinitionS3Location.VersionId": (None,),
    "PipelineVersionAlias": (None,),
    "PipelineVersionId": (None,),
}
EXECUTIONS, STEPS = Kind("PipelineExecution"), Kind("PipelineExecutionStep")


class PipelineOperations(JobOperations):
    """Pipelines; the engine runs their executions."""

    executions: Executions

    describe_pipeline, list_pipelines = PIPELINE.describing(), PIPELINE.listing()

    @once
    def create_pipeline(self, request: Document) -> Document:
        """Make a pipeline, if its definition can run here."""
        name = request["PipelineName"]
        document = {
            "PipelineDisplayName": name,
            **request,
            "PipelineDefinition": self._definition(request),
            "PipelineStatus": "Active",
            "CreatedBy": {},
            "LastModifiedBy": {},
        }
        return self.make(PIPELINE, name, document)

    def update_pipeline(self, request: Document) -> Document:
        """Change a pipeline; executions that run keep the definition they began with."""
        pipeline = self.get(PIPELINE, request["PipelineName"])
        members = {**request, "PipelineName": pipeline["PipelineName"]}
        if "PipelineDefinition" in request or "PipelineDefinitionS3Location" in request:
            members["PipelineDefinition"] = self._definition(request)
        self.platform.resources.update(PIPELINE.kind, pipeline["PipelineName"], **members)
        return {"PipelineArn": pipeline["PipelineArn"]}

    @once
    def delete_pipeline(self, request: Document) -> Document:
        """Remove a pipeline that is not running, with its executions."""
        pipeline = self.get(PIPELINE, request["PipelineName"])
        name, arn = pipeline["PipelineName"], pipeline["PipelineArn"]
        for execution in self.platform.resources.list(EXECUTION, name):
            if execution["PipelineExecutionStatus"] in ("Executing", "Stopping"):
                why = f"its execution {execution['PipelineExecutionArn']} runs; stop it first"
                raise AwsError("ConflictException", f"Pipeline {arn} cannot be deleted: {why}")
        self.executions.forget(name)
        self.platform.resources.delete(PIPELINE.kind, name)
        return {"PipelineArn": arn}

    @once
    def start_pipeline_execution(self, request: Document) -> Document:
        """Start an execution with the given parameters and the defaults of the others."""
        pipeline = self.get(PIPELINE, request["PipelineName"])
        require(request, RULES)
        given = {pair["Name"]: pair["Value"] for pair in request.get("PipelineParameters", [])}
        definition = decode(pipeline["PipelineDefinition"])
        values = arguments(definition.parameters, given)
        preflight.check(definition, values, self.checks)
        execution = self.executions.begin(pipeline, request, values)
        ran = dict.fromkeys(("LastRunTime", "LastExecutionTime"), execution["CreationTime"])
        name = pipeline["PipelineName"]
        self.platform.resources.change(PIPELINE.kind, name, lambda found: found.update(ran))
        return {"PipelineExecutionArn": execution["PipelineExecutionArn"]}

    @once
    def retry_pipeline_execution(self, request: Document) -> Document:
        """Go on with an execution that failed or was stopped, from what has succeeded."""
        execution = self._in_status(request, "Failed", "Stopped")
        self.executions.retry(execution, request)
        return {"PipelineExecutionArn": execution["PipelineExecutionArn"]}

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
        name = self.get(PIPELINE, request["PipelineName"])["PipelineName"]
        return EXECUTIONS.listed(self.platform.resources.list(EXECUTION, name), request)

    def list_pipeline_execution_steps(self, request: Document) -> Document:
        """Return the steps that an execution has reached, newest first unless asked otherwise."""
        arn = self._execution(request.get("PipelineExecutionArn", ""))["PipelineExecutionArn"]
        return STEPS.listed(self.platform.resources.list(STEP, number_of(arn)), request)

    def list_pipeline_parameters_for_execution(self, request: Document) -> Document:
        """Return the parameters of an execution, defaults included."""
        values = self._execution(request["PipelineExecutionArn"])["Parameters"]
        shown = [{"Name": name, "Value": text(value)} for name, value in values.items()]
        return {"PipelineParameters": shown}

    def _definition(self, request: Document) -> str:
        require(request, RULES)
        inline = request.get("PipelineDefinition")
        location = request.get("PipelineDefinitionS3Location")
        if (inline is None) == (location is None):
            raise invalid("Give either PipelineDefinition or PipelineDefinitionS3Location")
        definition = str(inline if location is None else self._stored(location))
        try:
            read_json(definition)  # what walks the definition has the stack for it
            decoded = decode(definition)
        except DefinitionError as error:
            raise invalid(f"Unable to parse pipeline definition: {error}") from None
        except ValueError as error:
            what = "it is not JSON that can be read"
            raise invalid(f"Unable to parse pipeline definition: {what}: {error}") from None
        preflight.check(decoded, {}, self.checks)
        return definition

    def _stored(self, location: Document) -> str:
        uri = f"s3://{location['Bucket']}/{location['ObjectKey']}"
        try:
            return self.platform.objects.read(uri).decode()
        except (NoSuchKey, NoSuchBucket, UnicodeDecodeError) as error:
            raise invalid(f"PipelineDefinitionS3Location {uri}: {error!r}") from None

    def _execution(self, arn: str) -> Document:
        found = self.platform.resources.find(EXECUTION, number_of(arn))
        if found is None or found["PipelineExecutionArn"] != arn:
            raise AwsError("ResourceNotFound", f"Pipeline execution '{arn}' does not exist.")
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
