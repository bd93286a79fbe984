"""What templates mean, by the outputs and refusals of real stacks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import RunningPlatform
from tests.local.services.cloudformation.stacks_bench import (
    CAPABILITIES,
    Stack,
    bucket,
    parameters,
    template,
)

ONE = {"B": bucket("template-one")}
PARAMETERS = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Name: {Type: String, AllowedPattern: "[a-z]+", ConstraintDescription: small letters}
  Size: {Type: Number, MinValue: 2, MaxValue: 5, Default: 3}
  Code: {Type: String, MinLength: 2, MaxLength: 3, Default: ab}
  Subnets: {Type: CommaDelimitedList, Default: "a, b"}
  Days: {Type: Number, AllowedValues: [1, 30], Default: 30}
Mappings:
  Sizes: {us-east-1: {small: t, count: 3}}
Rules:
  NotThree:
    RuleCondition: !Equals [!Ref Name, three]
    Assertions: [{Assert: !Not [!Equals [!Ref Size, 3]], AssertDescription: three is not three}]
Conditions:
  Large: !Not [!Equals [!Ref Size, "2"]]
  Named: !Or [!Equals [!Ref Name, x], !And [!Condition Large, !Equals [!Ref Name, y]]]
Resources:
  B:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "bucket-${Name}"
      Tags: [{Key: a, Value: !If [Large, large, !Ref AWS::NoValue]}]
  Never:
    Type: AWS::S3::Bucket
    Condition: Named
Outputs:
  Ref: {Value: !Ref B}
  Arn: {Value: !GetAtt B.Arn}
  Long: {Value: {"Fn::GetAtt": [B, Arn]}}
  Joined: {Value: !Join [",", [!Ref Size, true, !Ref "AWS::Region"]]}
  Listed: {Value: !Join ["-", !Ref Subnets]}
  Picked: {Value: !Select [1, !Split ["-", !Ref B]]}
  Mapped: {Value: !FindInMap [Sizes, !Ref "AWS::Region", count]}
  Subbed: {Value: !Sub ["${B.Arn}/${Here}/${!Literal}/${AWS::StackName}", {Here: !Ref Size}]}
  Chosen: {Value: !If [Large, !GetAtt B.Arn, none], Description: told}
  Absent: {Value: !Ref Never, Condition: Named}
"""


@pytest.fixture
def stack(shared_platform: RunningPlatform, request: pytest.FixtureRequest) -> Stack:
    return Stack(shared_platform, f"template-{abs(hash(request.node.name))}")


def refused(stack: Stack, body: str, **members: Any) -> str:
    with pytest.raises(ClientError) as found:
        stack.create(body, **members)
    return str(found.value)


def test_functions_parameters_and_conditions_mean_what_they_mean_on_aws(stack: Stack) -> None:
    assert stack.create(PARAMETERS, {"Name": "abc", "Code": "abc"}) == "CREATE_COMPLETE"
    arn = "arn:aws:s3:::bucket-abc"
    assert stack.outputs() == {
        "Ref": "bucket-abc",
        "Arn": arn,
        "Long": arn,
        "Joined": "3,true,us-east-1",
        "Listed": "a-b",
        "Picked": "abc",
        "Mapped": "3",
        "Subbed": f"{arn}/3/${{Literal}}/{stack.name}",
        "Chosen": arn,
    }
    assert stack.physical() == {"B": "bucket-abc"}
    shown = {
        each["ParameterKey"]: each["ParameterValue"] for each in stack.described()["Parameters"]
    }
    assert shown == {"Name": "abc", "Size": "3", "Code": "abc", "Subnets": "a, b", "Days": "30"}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, r"Parameters: \[Name\] must have values"),
        ({"Name": "a", "Other": "b"}, r"Parameters: \[Other\] do not exist in the template"),
        ({"Name": "A"}, "Parameter Name failed to satisfy constraint: small letters"),
        ({"Name": "a", "Size": "1"}, "'Size' must not be less than 2"),
        ({"Name": "a", "Size": "9"}, "'Size' must not be greater than 5"),
        ({"Name": "a", "Size": "x"}, "'Size' must be a number"),
        ({"Name": "a", "Code": "a"}, "'Code' must not be less than 2"),
        ({"Name": "a", "Days": "2"}, r"'Days' must be one of AllowedValues: \[1, 30\]"),
        ({"Name": "three"}, "rule NotThree: three is not three"),
    ],
)
def test_values_that_a_parameter_does_not_take_are_refused(
    stack: Stack, values: dict[str, str], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason):
        stack.create(PARAMETERS, values)


def with_bucket(**properties: Any) -> str:
    return template({"B": bucket(Properties=properties)})


def with_parameter(**members: Any) -> str:
    return template(ONE, Parameters={"P": {"Type": "String", "Default": "a", **members}})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("a: [", "YAML not well-formed"),
        ("a: 1\na: 2", "a stands there twice"),
        ("- 1", "unsupported structure"),
        ("{}", "At least one Resources member"),
        (template(ONE, Macros={}), r"Invalid template property or properties \['Macros'\]"),
        (template({"B": {**bucket(), "CreationPolicy": {}}}), "CreationPolicy"),
        (
            template({"B": {"Type": "AWS::SQS::Queue"}}),
            "Resources.B: the Type is AWS::SQS::Queue; here it is one of AWS::ApiG",
        ),
        (with_bucket(Colour="red"), r"B \(AWS::S3::Bucket\): Encountered unsupported property Col"),
        (
            with_bucket(BucketName={"Ref": "C"}),
            r"Unresolved resource dependencies \[C\] in the Res",
        ),
        (
            with_bucket(BucketName={"Fn::GetAtt": ["B", "X"]}),
            "the local platform has no attribute X of resource B for Fn::GetAtt; of AWS::S3::Buc",
        ),
        (with_bucket(BucketName={"Fn::Cidr": ["x"]}), "Fn::Cidr: here the local platform has Ref"),
        (with_bucket(BucketName={"Fn::Join": ["x"]}), "Fn::Join cannot take"),
        (with_bucket(BucketName={"Fn::Select": ["3", ["a"]]}), "cannot select at index 3"),
        (
            with_bucket(BucketName={"Fn::If": ["No", "a", "b"]}),
            "Unresolved condition dependency No",
        ),
        (template({"B": bucket(DependsOn=["Z"])}), r"Unresolved resource dependencies \[Z\]"),
        (
            template({"A": bucket(DependsOn=["B"]), "B": bucket("x-{Ref}", DependsOn=["A"])}),
            r"Circular dependency between resources: \[A, B\]",
        ),
        (template(ONE, Outputs={"O": {"Value": {"Ref": "C"}}}), "in the Outputs block"),
        (
            template(
                ONE,
                Conditions={"C": {"Condition": "C"}},
                Outputs={"O": {"Value": "a", "Condition": "C"}},
            ),
            "Circular dependency in conditions",
        ),
        (
            template(ONE, Parameters={"P": {"Type": "AWS::SSM::Parameter::Value<String>"}}),
            "Parameters.P: the Type is AWS::SSM",
        ),
        (
            template({"B": {**bucket(), "Properties": {"Fn::Transform": {"Name": "Mine"}}}}),
            "No transform named Mine: the local platform has AWS::Include",
        ),
        (f"Resources: {'[' * 5000}", "nested too deeply"),
        ('{"a":' * 5000, "nested too deeply"),
        (with_bucket(BucketName=json.loads("[" * 600 + "]" * 600)), "nested too deeply"),
        (template(ONE, Parameters=[]), r"Expected `object`, got `array` - at `\$.Parameters`"),
        (template(ONE, Conditions=["C"]), r"at `\$.Conditions`"),
        (template(ONE, Mappings="x"), r"at `\$.Mappings`"),
        (json.dumps({"Resources": ["B"]}), r"at `\$.Resources`"),
        (
            template({"B": {**bucket(), "Properties": []}}),
            r"Resources.B: Expected `object`, got `array` - at `\$.Properties`",
        ),
        (
            "Resources: {B: {Type: 'AWS::S3::Bucket', Properties: }}",
            "Resources.B: .*null.* at `..Properties`",
        ),
        ("Resources: {1: {Type: 'AWS::S3::Bucket'}}", r"at `key` in `\$.Resources`"),
        (template({"B": bucket(DependsOn=3)}), "Resources.B: .*DependsOn`"),
        (template({"B": bucket(Condition=3)}), "Resources.B: .*Condition`"),
        (template(ONE, Outputs={"O": {}}), "Outputs.O: Object missing required field `Value`"),
        (template(ONE, Rules={"R": {}}), "Rules.R: Object missing required field `Assertions`"),
        (template(ONE, Rules={"R": {"Assertions": ["x"]}}), "Rules.R: .*Assertions"),
        (with_parameter(AllowedPattern="("), "Parameters.P: AllowedPattern: missing [)]"),
        (with_parameter(MaxLength="abc"), "Parameters.P: .*MaxLength`"),
        (with_parameter(AllowedValues="abc"), "AllowedValues`"),
        (with_parameter(Default={}), "Default`"),
    ],
)
def test_a_template_that_cannot_be_is_refused_before_anything_is_made(
    stack: Stack, body: str, reason: str
) -> None:
    with pytest.raises(ClientError, match=reason) as found:
        stack.create(body)
    assert found.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match="does not exist"):
        stack.described()


def test_names_of_stacks_are_checked(shared_platform: RunningPlatform) -> None:
    with pytest.raises(ClientError, match="Value 'a_b' at 'stackName'"):
        Stack(shared_platform, "a_b").create(template(ONE))


def test_what_is_included_takes_its_place_beside_the_rest(stack: Stack) -> None:
    s3 = stack.running.client("s3")
    s3.create_bucket(Bucket="includes")
    s3.put_object(Bucket="includes", Key="tags.yaml", Body=b'Tags: [{Key: a, Value: {"Ref": "P"}}]')
    include = {"Name": "AWS::Include", "Parameters": {"Location": {"Ref": "Where"}}}
    body = template(
        {"B": bucket("included", Properties={"Fn::Transform": include})},
        Parameters={"Where": {"Type": "String"}, "P": {"Type": "String", "Default": "b"}},
    )
    there = {"Where": "s3://includes/tags.yaml"}
    with pytest.raises(ClientError, match="cannot read s3://includes/no: NoSuchKey"):
        stack.create(body, {"Where": "s3://includes/no"})
    s3.put_object(Bucket="includes", Key="short.yaml", Body=b"Tags: [{Key: a, Value: !Ref P}]")
    with pytest.raises(ClientError, match="could not determine a constructor for the tag '!Ref'"):
        stack.create(body, {"Where": "s3://includes/short.yaml"})
    assert stack.create(body, there) == "CREATE_COMPLETE"
    assert s3.get_bucket_tagging(Bucket="included")["TagSet"] == [{"Key": "a", "Value": "b"}]


def test_roles_need_an_acknowledgement(stack: Stack) -> None:
    role: dict[str, Any] = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {}},
    }
    assert r"Requires capabilities : [CAPABILITY_IAM]" in refused(
        stack, template({"R": role}), Capabilities=[]
    )
    role["Properties"]["RoleName"] = "mine"
    assert r"Requires capabilities : [CAPABILITY_NAMED_IAM]" in refused(
        stack, template({"R": role}), Capabilities=["CAPABILITY_IAM"]
    )
    assert stack.create(template({"R": role})) == "CREATE_COMPLETE"
    assert "recorded: no local effect" in stack.reasons("R")


def test_a_summary_tells_the_parameters_of_a_stacks_template(stack: Stack) -> None:
    assert stack.create(PARAMETERS, {"Name": "summary"}) == "CREATE_COMPLETE"
    found = stack.client.get_template_summary(StackName=stack.name)["Parameters"]
    assert [each["ParameterKey"] for each in found] == ["Name", "Size", "Code", "Subnets", "Days"]
    with pytest.raises(ClientError, match="by its StackName"):
        stack.client.get_template_summary(TemplateBody=PARAMETERS)


def test_a_large_template_comes_from_s3(stack: Stack) -> None:
    s3 = stack.running.client("s3")
    s3.create_bucket(Bucket="templates")
    body = template({"B": bucket("template-large")}) + " " * 60_000
    assert "less than or equal to 51200" in refused(stack, body)
    s3.put_object(Bucket="templates", Key="one.json", Body=body.encode())
    stack.client.create_stack(
        StackName=stack.name,
        TemplateURL=f"{stack.running.endpoint}/templates/one.json",
        Parameters=parameters({}),
        Capabilities=CAPABILITIES,
    )
    assert stack.settled() == "CREATE_COMPLETE"
