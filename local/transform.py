"""`template.yaml` → a template that the runtime can deploy.

The translation is AWS's own (`samtranslator`). Each rewrite around it bridges one gap; the
product's template is never bent to the runtime.
"""

import io
import json
import logging
import os
import re
import string
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from local.place import API_ID, LIVE_API_ID, REGION, LocalError

Template = dict[str, Any]
# Takes a bundle's name and bytes, puts it where the runtime reads it; returns (bucket, key).
Upload = Callable[[str, bytes], tuple[str, str]]

# Seconds that a failed batch's messages stay hidden. On AWS: six times the function's timeout.
RETRY_HIDDEN_SECONDS = 5
# Of queues whose messages take longer than that to work off, by logical id.
SLOW_QUEUES = {"CrmQueue": 30, "ReconciliationQueue": 300, "JobsQueue": 300, "RecordingsQueue": 60}
# Zip entries need a date; a fixed one makes equal code give equal bytes.
ZIP_DATE = (2000, 1, 1, 0, 0, 0)
DIGEST_OUTPUT = "LocalDigest"


def transform(root: Path, upload: Upload, connections_url: str) -> Template:
    """Translate the template of the checkout at `root`; code is uploaded on the way.

    `connections_url` is where functions reach the connections of the live channel.
    """
    source: Template = yaml_parse((root / "template.yaml").read_text())
    machines = definitions(source, root)
    bundle_code(source, root, upload)
    template = translate(source)
    upload_nested_templates(template, root, upload)
    inline_definitions(template, machines)
    read_stream_one_by_one(template)
    retry_messages_sooner(template)
    leave_out_punctuation(template)
    pin_api_ids(template)
    reach_connections(template, connections_url)
    return template


def resources(template: Template, kind: str) -> dict[str, Template]:
    """The properties of a template's resources of a type, by logical id; changes go through."""
    return {
        name: resource["Properties"] for name, resource in template["Resources"].items() if resource["Type"] == kind
    }


def translate(source: Template) -> Template:
    """SAM's transform. No policy templates are resolved: roles are explicit."""
    # It warns of metrics that it did not send anywhere.
    logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)
    # The translator makes a session to learn the region.
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    translator = Translator({}, Parser())
    defaults = {name: body.get("Default", "") for name, body in source["Parameters"].items()}
    try:
        translated: Template = translator.translate(source, parameter_values=defaults)
    except InvalidDocumentException as error:
        causes = "\n".join(f"  {cause.message}" for cause in error.causes)
        raise LocalError(f"template.yaml is not valid:\n{causes}") from error
    return translated


def bundle_code(source: Template, root: Path, upload: Upload) -> None:
    """`sam build` is for AWS's Python and processor; here workers use the interpreter at hand.

    So a function's bundle is its folder, and the layer's is the package alone: what they import is
    installed beside the runtime.
    """
    for name, properties in resources(source, "AWS::Serverless::Function").items():
        bucket, key = upload(name, zipped(root / properties["CodeUri"], ""))
        properties["CodeUri"] = {"Bucket": bucket, "Key": key}
    for name, properties in resources(source, "AWS::Serverless::LayerVersion").items():
        package = root / properties["ContentUri"] / "hangtag"
        bucket, key = upload(name, zipped(package, "python/hangtag/"))
        properties["ContentUri"] = {"Bucket": bucket, "Key": key}


def upload_nested_templates(template: Template, root: Path, upload: Upload) -> None:
    """Upload the template of each nested stack. `sam deploy` does this on AWS."""
    for name, properties in resources(template, "AWS::CloudFormation::Stack").items():
        nested = yaml_parse((root / properties["TemplateURL"]).read_text())
        bucket, key = upload(name, json.dumps(nested).encode())
        # The runtime reads the object itself, so only the path counts.
        properties["TemplateURL"] = f"https://s3.amazonaws.com/{bucket}/{key}"


def zipped(folder: Path, prefix: str) -> bytes:
    """A zip of a folder's files; the same files give the same bytes."""
    if not folder.is_dir():
        raise LocalError(f"the template names {folder}, which is missing")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_dir() or "__pycache__" in inside.parts or path.name == "Makefile":
                continue
            entry = zipfile.ZipInfo(f"{prefix}{inside.as_posix()}", ZIP_DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def definitions(source: Template, root: Path) -> dict[str, str]:
    """Take the state machines' definitions out of the template, as the JSON the runtime wants.

    AWS substitutes in the file's text, so `TimeoutSeconds: ${Name}` becomes a number. JSON would
    put quotes round it and make it a string, which is why they are taken away here.
    """
    found = {}
    for name, properties in resources(source, "AWS::Serverless::StateMachine").items():
        definition = yaml.safe_load((root / properties.pop("DefinitionUri")).read_text())
        properties["Definition"] = definition
        text = json.dumps(definition)
        found[name] = re.sub(r'("TimeoutSeconds": )"(\$\{\w+\})"', r"\1\2", text)
    return found


def inline_definitions(template: Template, machines: dict[str, str]) -> None:
    """Put the definitions back where they stand after the translation; substitutions are kept."""
    for name, properties in resources(template, "AWS::StepFunctions::StateMachine").items():
        properties["DefinitionString"] = machines[name]


def read_stream_one_by_one(template: Template) -> None:
    """The runtime ignores partial-batch replies and bisecting of a stream's mapping, see `streams`.

    In a batch of one, a failure is the whole batch's.
    """
    for properties in resources(template, "AWS::Lambda::EventSourceMapping").values():
        if "StartingPosition" in properties and "FunctionResponseTypes" in properties:
            properties["BatchSize"] = 1


def retry_messages_sooner(template: Template) -> None:
    """A failed batch's messages come again when they are no longer hidden; people wait here."""
    for name, properties in resources(template, "AWS::SQS::Queue").items():
        if "VisibilityTimeout" in properties:
            properties["VisibilityTimeout"] = SLOW_QUEUES.get(name, RETRY_HIDDEN_SECONDS)


def leave_out_punctuation(template: Template) -> None:
    """The runtime knows ExcludeCharacters, not ExcludePunctuation; and tokens go into headers."""
    for properties in resources(template, "AWS::SecretsManager::Secret").values():
        wanted = properties["GenerateSecretString"]
        if wanted.pop("ExcludePunctuation", False):
            wanted["ExcludeCharacters"] = string.punctuation


def pin_api_ids(template: Template) -> None:
    """An API's id is part of its URL; pinned, webhook URLs stay good over `down` and `up`."""
    for properties in resources(template, "AWS::ApiGatewayV2::Api").values():
        is_live = properties["ProtocolType"] == "WEBSOCKET"
        properties.setdefault("Tags", {})["ms-custom-id"] = LIVE_API_ID if is_live else API_ID


def reach_connections(template: Template, url: str) -> None:
    """On AWS an API's connections are reached at a host of its own; here they have a path."""
    for properties in resources(template, "AWS::Lambda::Function").values():
        variables = properties.get("Environment", {}).get("Variables", {})
        if "CONNECTIONS_URL" in variables:
            variables["CONNECTIONS_URL"] = url


def sign(template: Template, parameters: dict[str, str]) -> str:
    """Put a digest of all that is deployed among the outputs, and return it.

    The stack itself then says whether it is up to date: bundles have digests in their keys.
    """
    text = json.dumps([template, parameters], sort_keys=True)
    digest = sha256(text.encode()).hexdigest()
    template["Outputs"][DIGEST_OUTPUT] = {"Value": digest}
    return digest
