"""What a template's properties will be, as far as that is known before the launch.

Parameters, pseudo parameters, mappings and conditions are known; another resource's name is not, and stands as the
resource's logical id. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

VARIABLE = re.compile(r"\$\{(!?)([^}]+)\}")
NO_VALUE = object()


class Values:
    """Works out properties of one template. `known` are parameters and pseudo parameters."""

    def __init__(self, document: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        self._document = document
        self._known = known
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::If": self._if,
            "Fn::GetAtt": lambda given: ".".join(given) if isinstance(given, list) else str(given),
            "Fn::FindInMap": self._find_in_map,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
        }

    def of(self, value: Any) -> Any:  # noqa: ANN401 - any value of a template
        """The value with its functions carried out; one that is not known here stays as the template has it."""
        if isinstance(value, Mapping):
            if len(value) == 1:
                name, given = next(iter(value.items()))
                if name in self._functions:
                    try:
                        return self._functions[name](given)
                    except (KeyError, IndexError, TypeError, ValueError):
                        return dict(value)
            worked_out = {str(name): self.of(member) for name, member in value.items()}
            return {name: member for name, member in worked_out.items() if member is not NO_VALUE}
        if isinstance(value, list):
            return [member for member in map(self.of, value) if member is not NO_VALUE]
        return value

    def exists(self, resource: Mapping[str, Any]) -> bool:
        """Whether a resource's condition holds."""
        return "Condition" not in resource or self._condition(resource["Condition"])

    def _condition(self, name: str) -> bool:
        return self._holds((self._document.get("Conditions") or {}).get(name, True))

    def _holds(self, condition: Any) -> bool:  # noqa: ANN401 - any value of a template
        if not isinstance(condition, Mapping) or len(condition) != 1:
            return True
        name, given = next(iter(condition.items()))
        if name == "Condition":
            return self._condition(given)
        if name == "Fn::Equals":
            return str(self.of(given[0])) == str(self.of(given[1]))
        if name == "Fn::Not":
            return not self._holds(given[0])
        if name == "Fn::And":
            return all(self._holds(each) for each in given)
        return any(self._holds(each) for each in given) if name == "Fn::Or" else True

    def _ref(self, name: Any) -> Any:  # noqa: ANN401 - any value of a template
        return NO_VALUE if name == "AWS::NoValue" else self._known.get(name, name)

    def _sub(self, given: Any) -> str:  # noqa: ANN401 - any value of a template
        text, more = (given[0], self.of(given[1])) if isinstance(given, list) else (given, {})

        def filled(found: re.Match[str]) -> str:
            literal, name = found.groups()
            return f"${{{name}}}" if literal else str(more.get(name, self._known.get(name, name)))

        return VARIABLE.sub(filled, text)

    def _join(self, given: Any) -> str:  # noqa: ANN401 - any value of a template
        return str(given[0]).join(str(each) for each in self.of(given[1]))

    def _if(self, given: Any) -> Any:  # noqa: ANN401 - any value of a template
        return self.of(given[1] if self._condition(given[0]) else given[2])

    def _find_in_map(self, given: Any) -> Any:  # noqa: ANN401 - any value of a template
        name, first, second = (self.of(each) for each in given)
        return self.of(self._document["Mappings"][name][first][second])

    def _select(self, given: Any) -> Any:  # noqa: ANN401 - any value of a template
        return self.of(given[1])[int(self.of(given[0]))]

    def _split(self, given: Any) -> list[str]:  # noqa: ANN401 - any value of a template
        return str(self.of(given[1])).split(str(given[0]))
