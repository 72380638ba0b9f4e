"""The endpoint template as CloudFormation would see it with a stage's parameters, and what that says of the endpoint.

SageMaker updates an endpoint with another endpoint configuration only: "To update an endpoint, you must create a new
EndpointConfig", and it answers one that serves already with "Cannot update endpoint with the currently in use endpoint
configuration". But how traffic moves, what brings it back, and which counts are kept are no part of a configuration:
they belong to the endpoint. So the template is told a digest of them, and makes a new configuration with each new one.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpoint.html
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from deployment.errors import RefusedError

UPDATE_DIGEST = "EndpointUpdateDigest"
"""The template's parameter that holds the digest."""
DIGITS = 6
"""The template writes them behind the decimal point of a weight."""
ENDPOINT = "AWS::SageMaker::Endpoint"
_NOTHING = object()
_NAMED = re.compile(r"\$\{([^}]+)\}")
_ANSWERED = frozenset({"Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or", "Fn::Split"})
"""What a condition may be made of here, besides Ref, Condition and Fn::Sub."""
_LOOKED_UP = "AWS::SSM::Parameter::Value"
"""How the types of parameters begin whose values are names of what CloudFormation looks up."""


class Rendering:
    """A template with these parameters, over its own defaults; names of other resources stay as `<LogicalId>`.

    Raises RefusedError for a condition that cannot be known here: a wrong answer would be taken for a right one.
    """

    def __init__(self, document: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self._document = document
        declared = document["Parameters"]
        defaults = {name: each["Default"] for name, each in declared.items() if "Default" in each}
        self._values = {**defaults, **parameters}

    def resources(self, kind: str | None = None) -> dict[str, Any]:
        """What the stack would have, of every type or of one, by logical id: its properties."""
        asked = {name: each for name, each in self._document["Resources"].items() if kind in (None, each["Type"])}
        made = {name: each for name, each in asked.items() if self._is_made(each)}
        return {name: self._resolve(each.get("Properties", {})) for name, each in made.items()}

    def outputs(self) -> dict[str, Any]:
        """What the stack would tell."""
        outputs = self._document["Outputs"]
        return {name: self._resolve(each["Value"]) for name, each in outputs.items() if self._is_made(each)}

    def _is_made(self, part: Mapping[str, Any]) -> bool:
        return "Condition" not in part or self._holds(part["Condition"])

    def _holds(self, condition: str) -> bool:
        written = self._document["Conditions"][condition]
        for unknown in self._unknown(written):
            raise RefusedError(
                f"endpoint-config-template.yml: Conditions.{condition}: depends on {unknown}, which only "
                "CloudFormation can answer, so the build cannot know what of the endpoint would change.\n"
                "Make it depend on a parameter instead, and set that in staging-config.json and prod-config.json. "
                "Nothing was deployed."
            )
        return bool(self._resolve(written))

    def _unknown(self, node: Any) -> Iterator[str]:
        """What of a condition has no answer here; the conditions that it names are asked for themselves."""
        if isinstance(node, list):
            for each in node:
                yield from self._unknown(each)
        elif isinstance(node, dict):
            for key, value in node.items():
                if key == "Ref" and not self._is_known(value):
                    yield f"Ref {value}"
                elif key == "Fn::Sub":
                    text, given = value if isinstance(value, list) else (value, {})
                    names = (name for name in _NAMED.findall(text) if name not in given and not self._is_known(name))
                    yield from (f"Fn::Sub ${{{name}}}" for name in names)
                    yield from self._unknown(list(given.values()))
                elif key in _ANSWERED:
                    yield from self._unknown(value)
                elif key not in ("Ref", "Condition"):
                    yield key

    def _is_known(self, name: str) -> bool:
        declared = self._document["Parameters"].get(name)
        return declared is not None and not declared["Type"].startswith(_LOOKED_UP)

    def _resolve(self, node: Any) -> Any:
        """A part of the template; functions that only CloudFormation can answer stay, with their parts resolved."""
        if isinstance(node, list):
            return [value for item in node if (value := self._resolve(item)) is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(key, value)] = node.items()
            match key:
                case "Ref":
                    return _NOTHING if value == "AWS::NoValue" else self._values.get(value, f"<{value}>")
                case "Condition" if isinstance(value, str):
                    return self._holds(value)
                case "Fn::If":
                    return self._resolve(value[1] if self._holds(value[0]) else value[2])
                case "Fn::Equals":
                    first, second = (str(self._resolve(each)) for each in value)
                    return first == second
                case "Fn::Not":
                    return not self._resolve(value[0])
                case "Fn::And":
                    return all(self._resolve(each) for each in value)
                case "Fn::Or":
                    return any(self._resolve(each) for each in value)
                case "Fn::Split":
                    return str(self._resolve(value[1])).split(value[0])
                case "Fn::GetAtt":
                    return f"<{'.'.join(value)}>"
                case "Fn::Sub":
                    return self._substituted(*(value if isinstance(value, list) else (value, {})))
        return {key: found for key, value in node.items() if (found := self._resolve(value)) is not _NOTHING}

    def _substituted(self, text: str, given: Mapping[str, Any]) -> str:
        known = {**self._values, **self._resolve(given)}
        return _NAMED.sub(lambda found: str(known.get(found[1], f"<{found[1]}>")), text)


def update_digest(document: Mapping[str, Any], parameters: Mapping[str, str], *, goes_on: bool = False) -> str:
    """Six digits that stand for how the template updates its endpoint with these parameters; another way, others.

    Raises RefusedError where that cannot be known, unless the deployment is one that `goes_on` whatever is wrong with
    the template: all that could decide is then in the digest.
    """
    defaults = {name: str(each["Default"]) for name, each in document["Parameters"].items() if "Default" in each}
    values = {**defaults, **parameters}
    how: dict[str, Any]
    try:
        made = Rendering(document, values).resources(ENDPOINT)
        how = {  # tags change without an update
            name: {key: value for key, value in properties.items() if key != "Tags"}
            for name, properties in made.items()
        }
    except RefusedError:
        if not goes_on:
            raise
        how = {"Resources": document["Resources"], "Conditions": document["Conditions"], "Parameters": values}
    if mappings := document.get("Mappings"):
        how["Mappings"] = json.loads(json.dumps(mappings, default=str))  # whose keys may be numbers: of accounts
    digest = hashlib.sha256(json.dumps(how, sort_keys=True, default=str).encode()).digest()
    return f"{int.from_bytes(digest) % 10**DIGITS:0{DIGITS}}"
