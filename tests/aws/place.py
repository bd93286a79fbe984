"""Where the test runs: an account's region, or the local platform; and what is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from botocore.exceptions import BotoCoreError, ClientError

from boostline.deploy import templates
from boostline.deploy.stack import Stack
from boostline.project.config import Config
from boostline.project.target import Target

TAG = "boostline-test"
REPOSITORIES = ("boostline-model", "boostline-gateway")
# Records that SageMaker keeps of what has run: they stay, and cost nothing.
STAY = (":training-job/", ":processing-job/", ":experiment/", ":experiment-trial/")
JOB_LOGS = ("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/ProcessingJobs")
PATIENCE = 300  # seconds: what was deleted is listed for a while


class Place:
    """A target as the test looks at it, and removes what it has made there.

    Parameters
    ----------
    target, config
        Where the test's project is, and what it is.
    run
        The value of the tag that everything has which the test makes.
    """

    def __init__(self, target: Target, config: Config, run: str) -> None:
        self.target = target
        self.name = config.name
        self.is_aws = target.name == "aws"
        self._run = run
        self._project = Stack(target, templates.stack_of(config), print)
        self._account = Stack(target, templates.ACCOUNT_STACK, print)
        self._client = target.client
        self._executions: set[str] = set()

    def occupied(self) -> Iterator[str]:
        """Give what is there of an account that somebody uses already."""
        if self._account.describe() is not None:
            yield f"stack {self._account.name}"
        if self._has_bucket():
            yield f"bucket {self.target.bucket}"
        yield from (f"repository {name}" for name in self._repositories())

    def removals(self) -> list[tuple[str, Callable[[], object]]]:
        """Return what removes everything but the stages, in its order; each may be repeated."""
        steps: list[tuple[str, Callable[[], object]]] = [
            ("executions of the pipeline", self._stop),
            ("the pipeline", self._delete_pipeline),
            ("versions in the registry", self._delete_versions),
            ("the project's stack", self._project.delete),
            ("the registry's group", self._delete_group),
            ("the account's stack", self._account.delete),
            ("the bucket", self._delete_bucket),
        ]
        if self.is_aws:
            steps += [("repositories", self._delete_repositories), ("logs", self._delete_logs)]
        return steps

    def leftovers(self) -> list[str]:
        """Return what is still there once AWS has had time to forget what was deleted."""
        until = time.monotonic() + (PATIENCE if self.is_aws else 0)
        try:
            while (found := [*self.occupied(), *self._there()]) and time.monotonic() < until:
                time.sleep(15)
        except (BotoCoreError, ClientError) as error:
            return [f"nobody knows what, since {error}"]
        return found

    def _there(self) -> Iterator[str]:
        if self._project.describe() is not None:
            yield f"stack {self._project.name}"
        prefix, sagemaker = f"{self.name}--", self._client("sagemaker")
        for found in sagemaker.list_endpoints(NameContains=prefix)["Endpoints"]:
            yield f"endpoint {found['EndpointName']}"
        for page in self._client("lambda").get_paginator("list_functions").paginate():
            for found in page["Functions"]:
                if found["FunctionName"].startswith(prefix):
                    yield f"function {found['FunctionName']}"
        groups = sagemaker.list_model_package_groups(NameContains=self.name)
        for found in groups["ModelPackageGroupSummaryList"]:
            yield f"group {found['ModelPackageGroupName']}"
        yield from self._tagged() if self.is_aws else ()

    def _tagged(self) -> Iterator[str]:
        """Give what has the test's tag, as the tagging service finds it."""
        pages = self._client("resourcegroupstaggingapi").get_paginator("get_resources")
        for page in pages.paginate(TagFilters=[{"Key": TAG, "Values": [self._run]}]):
            for found in page["ResourceTagMappingList"]:
                if not any(kind in found["ResourceARN"] for kind in STAY):
                    yield found["ResourceARN"]

    def _stop(self) -> None:
        client, running = self._client("sagemaker"), ("Executing", "Stopping")
        while True:
            try:
                found = client.list_pipeline_executions(PipelineName=self.name)
            except client.exceptions.ResourceNotFound:
                return
            every = found["PipelineExecutionSummaries"]
            self._executions |= {each["PipelineExecutionArn"].rpartition("/")[2] for each in every}
            there = [each for each in every if each["PipelineExecutionStatus"] in running]
            for each in there:
                if each["PipelineExecutionStatus"] == "Executing":
                    client.stop_pipeline_execution(
                        PipelineExecutionArn=each["PipelineExecutionArn"]
                    )
            if not there:
                return
            time.sleep(15 if self.is_aws else 1)

    def _delete_pipeline(self) -> None:
        client = self._client("sagemaker")
        try:
            client.delete_pipeline(PipelineName=self.name)
        except client.exceptions.ResourceNotFound:
            return

    def _delete_versions(self) -> None:
        client = self._client("sagemaker")
        if self._has_group():
            found = client.list_model_packages(ModelPackageGroupName=self.name)
            for each in found["ModelPackageSummaryList"]:
                client.delete_model_package(ModelPackageName=each["ModelPackageArn"])

    def _delete_group(self) -> None:
        if self._has_group():
            self._client("sagemaker").delete_model_package_group(ModelPackageGroupName=self.name)

    def _has_group(self) -> bool:
        found = self._client("sagemaker").list_model_package_groups(NameContains=self.name)
        names = (each["ModelPackageGroupName"] for each in found["ModelPackageGroupSummaryList"])
        return self.name in names

    def _has_bucket(self) -> bool:
        try:
            self._client("s3").head_bucket(Bucket=self.target.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
                return False
            raise
        return True

    def _delete_bucket(self) -> None:
        if not self._has_bucket():
            return
        s3, bucket = self._client("s3"), self.target.bucket
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            members = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            found = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in members]
            if found:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": found, "Quiet": True})
        s3.delete_bucket(Bucket=bucket)

    def _repositories(self) -> list[str]:
        if not self.is_aws:
            return []
        pages = self._client("ecr").get_paginator("describe_repositories").paginate()
        every = {each["repositoryName"] for page in pages for each in page["repositories"]}
        return [name for name in REPOSITORIES if name in every]

    def _delete_repositories(self) -> None:
        for name in self._repositories():
            self._client("ecr").delete_repository(repositoryName=name, force=True)

    def _delete_logs(self) -> None:
        """Delete the logs that SageMaker made for endpoints and jobs, and no one else's."""
        logs = self._client("logs")
        pages = logs.get_paginator("describe_log_groups")
        prefix = f"/aws/sagemaker/Endpoints/{self.name}--"
        for page in pages.paginate(logGroupNamePrefix=prefix):
            for group in page["logGroups"]:
                logs.delete_log_group(logGroupName=group["logGroupName"])
        for group in JOB_LOGS:
            for execution in self._executions:
                self._delete_streams(group, f"pipelines-{execution}-")

    def _delete_streams(self, group: str, prefix: str) -> None:
        logs = self._client("logs")
        pages = logs.get_paginator("describe_log_streams")
        try:
            found = pages.paginate(logGroupName=group, logStreamNamePrefix=prefix)
            names = [each["logStreamName"] for page in found for each in page["logStreams"]]
        except logs.exceptions.ResourceNotFoundException:
            return
        for name in names:
            logs.delete_log_stream(logGroupName=group, logStreamName=name)
