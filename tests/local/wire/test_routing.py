from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from boostline.local.wire.errors import AwsError
from boostline.local.wire.head import Head
from boostline.local.wire.routing import route, service_of


def head(line: str, **headers: str) -> Head:
    method, _, url = line.partition(" ")
    path, _, query = url.partition("?")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Head(method, path, query, Headers(named))


@pytest.mark.parametrize(
    ("line", "operation"),
    [
        ("GET /", "ListBuckets"),
        ("GET /?x-id=ListBuckets", "ListBuckets"),
        ("PUT /b", "CreateBucket"),
        ("PUT /b/", "CreateBucket"),
        ("GET /b/", "ListObjects"),
        ("GET /b?list-type=2&prefix=a", "ListObjectsV2"),
        ("GET /b?location", "GetBucketLocation"),
        ("GET /b?location=", "GetBucketLocation"),
        ("GET /b/k?list-type=2", "GetObject"),
        ("PUT /b/k", "PutObject"),
        ("PUT /b/k?partNumber=1&uploadId=x", "UploadPart"),
        ("PUT /b/k?partNumber=1", "PutObject"),
        ("POST /b/k?uploads", "CreateMultipartUpload"),
        ("POST /b/k?uploadId=x", "CompleteMultipartUpload"),
        ("DELETE /b/k?uploadId=x", "AbortMultipartUpload"),
        ("DELETE /b/k", "DeleteObject"),
        ("POST /b?delete", "DeleteObjects"),
        ("HEAD /b/k", "HeadObject"),
        ("HEAD /b", "HeadBucket"),
    ],
)
def test_method_path_and_query_name_an_operation(line: str, operation: str) -> None:
    assert route("s3", head(line), b"").operation.name == operation


def test_a_header_may_name_it_too() -> None:
    line = head("PUT /b/k", x_amz_copy_source="b/other")
    assert route("s3", line, b"").operation.name == "CopyObject"


def test_labels_are_decoded_and_greedy_where_they_may() -> None:
    labels = route("s3", head("GET /b//a/%C3%BC%2F+%2520/"), b"").labels
    assert labels == {"Bucket": "b", "Key": "/a/ü/+%20/"}
    line = head("POST /2015-03-31/functions/arn%3Aaws%2Ff/invocations")
    assert route("lambda", line, b"").labels == {"FunctionName": "arn:aws/f"}


def test_the_literal_path_counts_more_than_a_label() -> None:
    line = head("GET /restapis/id/stages/prod")
    found = route("apigateway", line, b"")
    assert found.operation.name == "GetStage"
    assert found.labels == {"restapi_id": "id", "stage_name": "prod"}
    assert route("lambda", head("GET /2015-03-31/functions/"), b"").operation.name == (
        "ListFunctions"
    )


@pytest.mark.parametrize(
    ("service", "line", "code", "status"),
    [
        ("s3", "PUT /b/k?retention", "NotImplemented", 501),
        ("s3", "GET /b?website", "NotImplemented", 501),
        ("s3", "POST /b/k?restore", "NotImplemented", 501),
        ("s3", "PATCH /b/k", "MethodNotAllowed", 405),
        ("lambda", "GET /2015-03-31/event-source-mappings", "NotImplemented", 501),
        ("lambda", "GET /nowhere", "UnknownOperationException", 404),
        ("apigateway", "POST /restapis", "NotImplemented", 501),
    ],
)
def test_the_rest_is_refused(service: str, line: str, code: str, status: int) -> None:
    with pytest.raises(AwsError) as caught:
        route(service, head(line), b"")
    assert (caught.value.code, caught.value.status) == (code, status)


def test_the_query_protocol_names_it_in_body_or_query() -> None:
    form = b"Action=GetCallerIdentity&Version=2011-06-15"
    assert route("sts", head("POST /"), form).operation.name == "GetCallerIdentity"
    line = head("GET /?Action=GetCallerIdentity&Version=2011-06-15")
    assert route("sts", line, b"").operation.name == "GetCallerIdentity"
    with pytest.raises(AwsError, match="Could not find operation 'Nothing' of sts"):
        route("sts", head("POST /"), b"Action=Nothing")
    with pytest.raises(AwsError, match="does not have sts:AssumeRole; it has GetCallerIdentity"):
        route("sts", head("POST /"), b"Action=AssumeRole")


def test_two_services_share_the_name_sagemaker() -> None:
    target = head("POST /", x_amz_target="SageMaker.ListModels")
    assert service_of("sagemaker", target) == "sagemaker"
    assert service_of("sagemaker", head("POST /endpoints/e/invocations")) == "sagemaker-runtime"
    assert service_of("s3", head("GET /")) == "s3"
    with pytest.raises(AwsError, match="does not have the service dynamodb"):
        service_of("dynamodb", head("POST /"))
