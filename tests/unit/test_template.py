"""template.yaml and alarms.yaml: order by feature, routes, and an alarm for everything that can fail."""

import re
from functools import lru_cache
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from process import ROOT

# Such as: CRM queue, oldest message older than 30 minutes; a colon stands between the two.
DESCRIPTION = re.compile(r"^([A-Z][\w ]+): (.+)$")
AGE = re.compile(r"^oldest message older than (\d+) minutes$")


@lru_cache(maxsize=2)
def resources(file: str) -> dict[str, dict[str, Any]]:
    """Return the resources of a template, by logical id, in the file's order."""
    template: dict[str, dict[str, Any]] = yaml_parse((ROOT / file).read_text())
    return template["Resources"]


def of_type(kind: str, file: str = "template.yaml") -> dict[str, dict[str, Any]]:
    """Return the properties of the resources of one type, by logical id."""
    return {name: one["Properties"] for name, one in resources(file).items() if one["Type"] == kind}


def alarms() -> dict[str, dict[str, Any]]:
    return of_type("AWS::CloudWatch::Alarm", "alarms.yaml")


def watched(alarm: dict[str, Any]) -> str:
    """Return the logical id of the resource that an alarm watches."""
    (dimension,) = alarm["Dimensions"]
    return str(dimension["Value"]["Ref"])


def test_each_dead_letter_queue_has_an_alarm() -> None:
    queues = {name for name in of_type("AWS::SQS::Queue") if name.endswith("DeadLetters")}
    assert queues
    assert {watched(alarm) for name, alarm in alarms().items() if name.endswith("DeadLettersAlarm")} == queues


def test_each_function_has_an_alarm_for_its_errors() -> None:
    functions = set(of_type("AWS::Serverless::Function"))
    assert {watched(alarm) for alarm in alarms().values() if alarm["MetricName"] == "Errors"} == functions


def test_each_alarm_notifies_the_topic() -> None:
    assert len(alarms()) > 30
    actions = [alarm["AlarmActions"] for alarm in alarms().values()]
    assert all(
        action == {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
        for action in actions
    )


def test_alarm_description_is_a_subject_with_its_symptom() -> None:
    descriptions = [alarm["AlarmDescription"] for alarm in alarms().values()]
    assert [text for text in descriptions if not DESCRIPTION.match(text)] == []
    assert len(set(descriptions)) == len(descriptions)


def test_alarm_subject_is_the_name_of_the_resource() -> None:
    wrong = []
    for name, alarm in alarms().items():
        match = DESCRIPTION.match(alarm["AlarmDescription"])
        subject = match[1] if match else ""
        if subject.replace(" ", "").casefold() != watched(alarm).casefold():
            wrong.append(name)
    assert wrong == []


def test_alarm_description_states_its_threshold() -> None:
    ages = {name: one for name, one in alarms().items() if one["MetricName"] == "ApproximateAgeOfOldestMessage"}
    assert ages
    for alarm in ages.values():
        match = AGE.match(alarm["AlarmDescription"].partition(": ")[2])
        assert match is not None
        assert int(match[1]) * 60 == alarm["Threshold"]


def test_nested_stack_gets_the_name_of_each_resource() -> None:
    (properties,) = of_type("AWS::CloudFormation::Stack").values()
    assert properties["TemplateURL"] == "alarms.yaml"
    parameters = properties["Parameters"]
    assert parameters.keys() == yaml_parse((ROOT / "alarms.yaml").read_text())["Parameters"].keys()
    for name, value in parameters.items():
        if name in resources("template.yaml"):
            assert value in ({"Ref": name}, {"Fn::GetAtt": [name, "QueueName"]})


def test_admin_function_serves_paths_without_a_route() -> None:
    routes = of_type("AWS::ApiGatewayV2::Route").values()
    admin = [route["RouteKey"] for route in routes if "AdminIntegration" in route["Target"]["Fn::Sub"]]
    assert admin == ["ANY /v1", "ANY /v1/{proxy+}"]
    keys = [(route["ApiId"]["Ref"], route["RouteKey"]) for route in routes]
    assert len(set(keys)) == len(keys)


def test_role_of_a_function_stands_below_it_with_its_log_group() -> None:
    names = list(resources("template.yaml"))
    functions = [name.removesuffix("Function") for name in of_type("AWS::Serverless::Function")]
    assert functions
    for feature in functions:
        first = names.index(f"{feature}Function")
        assert names[first : first + 3] == [f"{feature}Function", f"{feature}Role", f"{feature}Logs"]


def test_dead_letter_queue_stands_below_its_queue() -> None:
    names = list(resources("template.yaml"))
    redriven = {name: one for name, one in of_type("AWS::SQS::Queue").items() if "RedrivePolicy" in one}
    assert redriven
    for name, queue in redriven.items():
        dead_letters = name.removesuffix("Queue") + "DeadLetters"
        assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": [dead_letters, "Arn"]}
        feature = names[names.index(name) : names.index(name) + 4]
        assert dead_letters in feature


def test_each_alarm_is_documented_for_operators() -> None:
    """All functions share one row of the table, with (Name) for theirs."""
    lines = (ROOT / "docs" / "operator.md").read_text().splitlines()
    rows = {line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")}
    descriptions = [
        re.sub(r"^\w+ (function: an invocation)", r"(Name) \1", alarm["AlarmDescription"])
        for alarm in alarms().values()
    ]
    assert [text for text in descriptions if text not in rows] == []
