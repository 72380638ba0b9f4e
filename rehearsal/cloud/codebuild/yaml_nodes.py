"""YAML read by hand: scalars as they are written (`3.10` stays `3.10`), and a line for every complaint."""

from __future__ import annotations

import yaml

from rehearsal.cloud.codebuild.errors import YamlFileError

YES, NO = ("yes", "true", "on"), ("no", "false", "off")
STRING, NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"


class Mapping:
    """A YAML mapping whose keys are asked for one by one; `done` then complains about those nobody asked for."""

    def __init__(self, node: yaml.Node, file: str, path: str) -> None:
        self.file = file
        self.path = path
        self.line = node.start_mark.line + 1
        self._members: dict[str, yaml.Node] = {}
        self._asked: set[str] = set()
        if not isinstance(node, yaml.MappingNode):
            raise YamlFileError(f"Expected {path or 'the buildspec'} to be a mapping (line {self.line} of {file})")
        for key, value in node.value:
            name = str(key.value)
            if name in self._members:
                raise YamlFileError(f"{self._at(name)} is given twice (line {key.start_mark.line + 1} of {file})")
            self._members[name] = value

    def _at(self, key: str) -> str:
        return f"{self.path}/{key}" if self.path else key

    def _get(self, key: str) -> yaml.Node | None:
        """The node under a key; a key with nothing behind it counts as left out."""
        self._asked.add(key)
        node = self._members.get(key)
        return None if node is None or (isinstance(node, yaml.ScalarNode) and node.tag == NULL) else node

    def has(self, key: str) -> bool:
        """Whether the key is there with a value."""
        return self._get(key) is not None

    def keys(self) -> list[str]:
        """All keys, in the order of the file."""
        return list(self._members)

    def mapping(self, key: str) -> Mapping | None:
        """The mapping under a key."""
        node = self._get(key)
        return None if node is None else Mapping(node, self.file, self._at(key))

    def text(self, key: str) -> str:
        """The scalar under a key as it is written; empty when left out."""
        node = self._get(key)
        return "" if node is None else self._scalar(node, self._at(key))

    def flag(self, key: str) -> bool:
        """A `yes` or `no`."""
        written = self.text(key).lower()
        if written and written not in YES + NO:
            raise YamlFileError(f"{self._at(key)} in {self.file} is '{written}'; it must be yes or no")
        return written in YES

    def texts(self, key: str) -> tuple[str, ...]:
        """The scalars of a sequence."""
        return tuple(self._scalar(item, f"{self._at(key)}[{index}]") for index, item in enumerate(self._items(key)))

    def text_map(self, key: str) -> dict[str, str]:
        """A mapping of scalars."""
        node = self.mapping(key)
        return {} if node is None else {name: node.text(name) for name in node.keys()}  # noqa: SIM118 - not a dict

    def commands(self, key: str) -> tuple[str, ...]:
        """A sequence of commands; the complaint is the one CodeBuild makes when YAML found more than a string."""
        found = []
        for index, item in enumerate(self._items(key)):
            if not isinstance(item, yaml.ScalarNode) or item.tag != STRING:
                line = item.start_mark.line + 1
                what = "found subkeys instead" if isinstance(item, yaml.MappingNode) else "found something else"
                raise YamlFileError(
                    f"Expected Commands[{index}] to be of string type: {what} at line {line} of {self.file} "
                    f"({self._at(key)}); put the command in quotes or after a |"
                )
            found.append(str(item.value))
        return tuple(found)

    def _items(self, key: str) -> list[yaml.Node]:
        node = self._get(key)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            line = node.start_mark.line + 1
            raise YamlFileError(f"Expected {self._at(key)} to be a list (line {line} of {self.file})")
        return list(node.value)

    def _scalar(self, node: yaml.Node, at: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            line = node.start_mark.line + 1
            raise YamlFileError(f"Expected {at} to be of string type (line {line} of {self.file})")
        return str(node.value)

    def done(self) -> None:
        """Raise YamlFileError for the first key that means nothing here."""
        for key, node in self._members.items():
            if key not in self._asked:
                line = node.start_mark.line + 1
                raise YamlFileError(f"unknown key '{self._at(key)}' (line {line} of {self.file})")
