"""Translation of `template.yaml` into a template that the runtime can deploy.

AWS's own library (`samtranslator`) translates it. Each rewrite around the translation works around one gap of
the runtime, so that the product's template is written for AWS only.
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
# Uploads a bundle, given its name and bytes, to the runtime; returns (bucket, key).
Upload = Callable[[str, bytes], tuple[str, str]]

# Seconds until a failed message is visible again. On AWS, it is six times the function's timeout.
RETRY_HIDDEN_SECONDS = 5
# Seconds for queues with slow messages, by logical id.
SLOW_QUEUES = {"CrmQueue": 30, "ReconciliationQueue": 300, "JobsQueue": 300, "RecordingsQueue": 60}
# A fixed date of the zip entries, so that equal code gives equal bytes.
ZIP_DATE = (2000, 1, 1, 0, 0, 0)
DIGEST_OUTPUT = "LocalDigest"


def transform(root: Path, upload: Upload, connections_url: str) -> Template:
    """Translate the template of the checkout at `root`, and upload its code.

    `connections_url` is the URL where functions manage the connections of the live channel.
    """
    source: Template = yaml_parse((root / "template.yaml").read_text())
    machines = definitions(source, root)
    bundle_code(source, root, upload)
    template = translate(source)
    upload_nested_templates(template, root, upload)
    inline_definitions(template, machines)
    read_stream_one_by_one(template)
    retry_messages_sooner(template)
    exclude_punctuation(template)
    pin_api_ids(template)
    set_connections_url(template, connections_url)
    return template


def resources(template: Template, kind: str) -> dict[str, Template]:
    """Return the properties of a template's resources of one type, by logical id. They are not copies."""
    return {
        name: resource["Properties"] for name, resource in template["Resources"].items() if resource["Type"] == kind
    }


def translate(source: Template) -> Template:
    """Apply the SAM transform. It resolves no policy templates, as all roles are explicit."""
    # The translator warns about metrics that it cannot send.
    logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)
    # The translator reads the region from the environment.
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
    """Upload each function's folder, and the layer's package without its dependencies.

    `sam build` builds for AWS's Python and processor. The runtime's workers use this interpreter and the
    dependencies in its environment.
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
    """Return a zip of a folder's files. Equal files give equal bytes."""
    if not folder.is_dir():
        raise LocalError(f"the template refers to {folder}, which does not exist")
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
    """Remove the state machines' definitions from the template; return them as JSON, by logical id.

    AWS substitutes in the file's text, so `TimeoutSeconds: ${Name}` becomes a number. In JSON it would become a
    string, so this removes the quotes.
    """
    machines = {}
    for name, properties in resources(source, "AWS::Serverless::StateMachine").items():
        definition = yaml.safe_load((root / properties.pop("DefinitionUri")).read_text())
        properties["Definition"] = definition
        text = json.dumps(definition)
        machines[name] = re.sub(r'("TimeoutSeconds": )"(\$\{\w+\})"', r"\1\2", text)
    return machines


def inline_definitions(template: Template, machines: dict[str, str]) -> None:
    """Put the definitions into the translated template. Its substitutions stay as they are."""
    for name, properties in resources(template, "AWS::StepFunctions::StateMachine").items():
        properties["DefinitionString"] = machines[name]


def read_stream_one_by_one(template: Template) -> None:
    """Set the batch size of streams to 1: a failed record then fails its whole batch.

    The runtime ignores partial-batch responses and the bisecting of batches, see `streams`.
    """
    for properties in resources(template, "AWS::Lambda::EventSourceMapping").values():
        if "StartingPosition" in properties and "FunctionResponseTypes" in properties:
            properties["BatchSize"] = 1


def retry_messages_sooner(template: Template) -> None:
    """Shorten the visibility timeouts: here, a person or a test waits for the retry."""
    for name, properties in resources(template, "AWS::SQS::Queue").items():
        if "VisibilityTimeout" in properties:
            properties["VisibilityTimeout"] = SLOW_QUEUES.get(name, RETRY_HIDDEN_SECONDS)


def exclude_punctuation(template: Template) -> None:
    """Exclude punctuation from secrets, which are sent in headers. The runtime ignores ExcludePunctuation."""
    for properties in resources(template, "AWS::SecretsManager::Secret").values():
        rules = properties["GenerateSecretString"]
        if rules.pop("ExcludePunctuation", False):
            rules["ExcludeCharacters"] = string.punctuation


def pin_api_ids(template: Template) -> None:
    """Fix the ids of the APIs, so that webhook URLs stay valid across `down` and `up`."""
    for properties in resources(template, "AWS::ApiGatewayV2::Api").values():
        is_live = properties["ProtocolType"] == "WEBSOCKET"
        properties.setdefault("Tags", {})["ms-custom-id"] = LIVE_API_ID if is_live else API_ID


def set_connections_url(template: Template, url: str) -> None:
    """Set the URL of the live channel's connections: a host of its own on AWS, a path here."""
    for properties in resources(template, "AWS::Lambda::Function").values():
        variables = properties.get("Environment", {}).get("Variables", {})
        if "CONNECTIONS_URL" in variables:
            variables["CONNECTIONS_URL"] = url


def sign(template: Template, parameters: dict[str, str]) -> str:
    """Add a digest of the deployment to the outputs, and return it.

    The stack's own outputs then show whether it is up to date: the keys of bundles contain digests too.
    """
    text = json.dumps([template, parameters], sort_keys=True)
    digest = sha256(text.encode()).hexdigest()
    template["Outputs"][DIGEST_OUTPUT] = {"Value": digest}
    return digest
