"""Deployment of the transformed template to the runtime."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.place import ACCOUNT, REGION, ROOT, STACK_NAME, LocalError, Place
from local.transform import DIGEST_OUTPUT, sign, transform

BUCKET = "hangtag-code"
DEPLOYED_WITHIN_SECONDS = 120.0
POLL_SECONDS = 0.1


@lru_cache(maxsize=64)
def client(endpoint: str, service: str) -> Any:
    """Return a client of one of the runtime's services. Cached: creating one takes 0.2 s, and threads can share it."""
    # Ignore proxies of the environment. Allow more connections than any test has threads.
    config = Config(proxies={}, retries={"mode": "standard"}, s3={"addressing_style": "path"}, max_pool_connections=64)
    return _session().create_client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        # Not credentials: the runtime reads the account from the key and does not verify it.
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="local",  # noqa: S106
        config=config,
    )


@lru_cache(maxsize=1)
def _session() -> botocore.session.Session:
    """Return the session of all clients, which loads the service descriptions once."""
    return botocore.session.get_session()


@dataclass(frozen=True, slots=True)
class Deployed:
    """Result of a deployment: the stack's outputs, and the functions' names by logical id."""

    outputs: Mapping[str, str]
    functions: Mapping[str, str]


def deploy(place: Place, parameters: Mapping[str, str]) -> Deployed:
    """Create or update the stack. Do nothing if it is up to date. Raises LocalError."""
    try:
        return _deploy(place, parameters)
    except (BotoCoreError, ClientError) as error:
        raise LocalError(f"the runtime failed: {error}; see {place.log_file}") from error


def _deploy(place: Place, parameters: Mapping[str, str]) -> Deployed:
    # The CRMs and PBXs of the embedded stack are fakes on this machine.
    values = {"PublicUrl": place.api, "LiveUrl": place.live, "OutboundLoopback": "true", **parameters}
    template = transform(ROOT, lambda name, body: _upload(place, name, body), place.connections)
    digest = sign(template, values)
    stack = _describe(place)
    if stack.get("StackStatus") not in _GOOD or _outputs(stack).get(DIGEST_OUTPUT) != digest:
        _submit(place, template, values)
    _enable_expiry(place, template)
    return Deployed(_outputs(_describe(place)), _functions(place))


_GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


def _upload(place: Place, name: str, body: bytes) -> tuple[str, str]:
    bucket = client(place.endpoint, "s3")
    key = f"{name}/{sha256(body).hexdigest()}.zip"
    try:
        bucket.head_object(Bucket=BUCKET, Key=key)
    except ClientError:
        bucket.create_bucket(Bucket=BUCKET)
        bucket.put_object(Bucket=BUCKET, Key=key, Body=body)
    return BUCKET, key


def _describe(place: Place) -> dict[str, Any]:
    """Return the runtime's description of the stack, empty if the stack does not exist."""
    try:
        response = client(place.endpoint, "cloudformation").describe_stacks(StackName=STACK_NAME)
    except ClientError:
        return {}
    stack: dict[str, Any] = response["Stacks"][0]
    return stack


def _status(place: Place) -> str | None:
    return _describe(place).get("StackStatus")


def _outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _submit(place: Place, template: dict[str, Any], parameters: Mapping[str, str]) -> None:
    formation = client(place.endpoint, "cloudformation")
    # The template is too large for a request's body.
    body = json.dumps(template).encode()
    bucket, key = _upload(place, "template", body)
    request = {
        "StackName": STACK_NAME,
        "TemplateURL": f"{place.endpoint}/{bucket}/{key}",
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    exists = _status(place)
    if exists in ("ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED"):
        formation.delete_stack(StackName=STACK_NAME)
        _await(place, ("DELETE_COMPLETE", None))
        exists = None
    try:
        if exists in (None, "DELETE_COMPLETE"):
            formation.create_stack(**request)
        else:
            formation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise LocalError(f"the stack could not be deployed: {error}") from error
    _await(place, _GOOD)


def _await(place: Place, targets: tuple[str | None, ...]) -> None:
    deadline = time.monotonic() + DEPLOYED_WITHIN_SECONDS
    while (status := _status(place)) not in targets:
        failed = status is None or "ROLLBACK" in status or status.endswith("FAILED")
        if failed or time.monotonic() > deadline:
            raise LocalError(f"the stack is {status}; failed resources:\n{_failures(place)}")
        time.sleep(POLL_SECONDS)


def _failures(place: Place) -> str:
    formation = client(place.endpoint, "cloudformation")
    try:
        events = formation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    except ClientError as error:
        return str(error)
    return "\n".join(
        f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        for event in events
        if "FAILED" in event["ResourceStatus"]
    )


def _enable_expiry(place: Place, template: dict[str, Any]) -> None:
    """Enable the expiry of items. The runtime ignores TimeToLiveSpecification but supports the API call."""
    formation, tables = client(place.endpoint, "cloudformation"), client(place.endpoint, "dynamodb")
    for name, resource in template["Resources"].items():
        expiry = resource.get("Properties", {}).get("TimeToLiveSpecification")
        if resource["Type"] != "AWS::DynamoDB::Table" or not expiry:
            continue
        detail = formation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=name)
        table = detail["StackResourceDetail"]["PhysicalResourceId"]
        described = tables.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        if described["TimeToLiveStatus"] != "ENABLED":
            tables.update_time_to_live(TableName=table, TimeToLiveSpecification=expiry)


def _functions(place: Place) -> dict[str, str]:
    formation = client(place.endpoint, "cloudformation")
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }
