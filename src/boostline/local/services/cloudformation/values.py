"""What the intrinsic functions of a template mean.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from boostline.local.wire.errors import AwsError

Attribute = Callable[[str, str], Any]  # logical id and attribute → value; "" is what Ref gives
NO_VALUE = object()
UNKNOWN = "{{changing:"  # stands, somewhere in a text, for what is known once a resource is made
_PLACE = re.compile(r"\$\{([^${}]*)\}")


def refuse(message: str, code: str = "ValidationError") -> AwsError:
    """Return the error that CloudFormation answers to most bad requests."""
    return AwsError(code, message)


def no_resource(name: str, _: str) -> Any:
    """Refuse a reference to a resource: an `Attribute` of conditions, rules and inclusions."""
    raise refuse(f"Template format error: conditions, rules and inclusions cannot refer to {name}")


class Scope:
    """Gives the values of a template's nodes.

    Parameters
    ----------
    template
        With its Mappings and Conditions.
    values
        What Ref gives of parameters and pseudo parameters.
    attribute
        What Ref and GetAtt give of resources.

    Raises
    ------
    AwsError
        From each method: `ValidationError`, where a function is used wrongly or not here.
    """

    def __init__(
        self, template: Mapping[str, Any], values: Mapping[str, Any], attribute: Attribute
    ) -> None:
        self._mappings = template.get("Mappings", {})
        self._conditions = template.get("Conditions", {})
        self._values = {"AWS::NoValue": NO_VALUE, **values}
        self._attribute = attribute
        self._open: list[str] = []
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": self._if,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::Sub": self._sub,
        }

    def value(self, node: Any) -> Any:
        """Return what a node means; members that are `AWS::NoValue` are left out."""
        if isinstance(node, list):
            return [value for item in node if (value := self.value(item)) is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        name = next(iter(node), None)
        if len(node) == 1 and isinstance(name, str) and (name == "Ref" or name.startswith("Fn::")):
            if name not in self._functions:
                had = ", ".join(self._functions)
                raise refuse(f"Template error: {name}: here the local platform has {had}")
            try:
                return self._functions[name](node[name])
            except (TypeError, ValueError, KeyError, IndexError):
                raise refuse(f"Template error: {name} cannot take {node[name]!r:.300}") from None
        members = ((key, self.value(item)) for key, item in node.items())
        return {key: value for key, value in members if value is not NO_VALUE}

    def holds(self, name: str) -> bool:
        """Whether one of the template's conditions holds."""
        if name not in self._conditions:
            raise refuse(f"Template format error: Unresolved condition dependency {name}")
        if name in self._open:
            raise refuse(f"Template error: Circular dependency in conditions: {self._open}")
        self._open.append(name)
        found = self.condition(self._conditions[name])
        self._open.pop()
        return found

    def condition(self, node: Any) -> bool:
        """Whether a condition, written out, holds."""
        match node:
            case {"Condition": str(name), **rest} if not rest:
                return self.holds(name)
            case {"Fn::Equals": [left, right], **rest} if not rest:
                return text(self.value(left)) == text(self.value(right))
            case {"Fn::Not": [inner], **rest} if not rest:
                return not self.condition(inner)
            case {"Fn::And": [_, _, *_] as inner, **rest} if not rest:
                return all(self.condition(each) for each in inner)
            case {"Fn::Or": [_, _, *_] as inner, **rest} if not rest:
                return any(self.condition(each) for each in inner)
        raise refuse(
            f"Template error: {node!r:.300} is no condition: one is Fn::Equals of two, Fn::Not of "
            "one, Fn::And or Fn::Or of two to ten, or {Condition: name}"
        )

    def _ref(self, name: str) -> Any:
        return self._values[name] if name in self._values else self._attribute(name, "")

    def _get_att(self, path: Any) -> Any:
        logical, attribute = path.split(".", 1) if isinstance(path, str) else path
        return self._attribute(logical, self.value(attribute))

    def _find_in_map(self, keys: list[Any]) -> Any:
        name, first, second = map(self.value, keys)
        return self._mappings[name][text(first)][text(second)]

    def _if(self, arguments: list[Any]) -> Any:
        name, then, otherwise = arguments
        return self.value(then if self.holds(name) else otherwise)

    def _join(self, arguments: list[Any]) -> str:
        delimiter, items = arguments
        return text(delimiter).join([text(item) for item in _list(self.value(items))])

    def _select(self, arguments: list[Any]) -> Any:
        index, items = map(self.value, arguments)
        if is_unknown(items):
            return items
        if not 0 <= int(index) < len(_list(items)):
            raise refuse(f"Template error: Fn::Select cannot select at index {index} of {items}")
        return items[int(index)]

    def _split(self, arguments: list[Any]) -> Any:
        delimiter, whole = arguments[0], text(self.value(arguments[1]))
        return whole if is_unknown(whole) else whole.split(delimiter)

    def _sub(self, arguments: Any) -> str:
        whole, given = (arguments, {}) if isinstance(arguments, str) else arguments
        parts = _PLACE.split(whole)
        for index in range(1, len(parts), 2):
            name = parts[index].strip()
            if name.startswith("!"):
                parts[index] = f"${{{name[1:]}}}"
            elif name in given:
                parts[index] = text(self.value(given[name]))
            else:
                parts[index] = text(self._get_att(name) if "." in name else self._ref(name))
        return "".join(parts)


def text(value: Any) -> str:
    """Return a scalar as CloudFormation writes it; TypeError if it is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r:.100} is no text")
    return str(value)


def is_unknown(value: Any) -> bool:
    """Whether a value is a text that is known only once a resource is made."""
    return isinstance(value, str) and UNKNOWN in value


def _list(value: Any) -> list[Any]:
    if is_unknown(value):
        return [value]
    if not isinstance(value, list):
        raise TypeError(f"{value!r:.100} is no list")
    return value
