"""What a target gets of an event: all, a part, or a text made of parts.

Source: "Transforming target input" in the Amazon EventBridge guide.
"""

from __future__ import annotations

import json
import re
from typing import Any

# A text of JSON, or a variable that stands outside of one.
PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|<([\w.-]+)>')
VARIABLE = re.compile(r"<([\w.-]+)>")
PATH = re.compile(r"\$(?:\.[\w-]+|\[\d+\])*")
STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]")
KINDS = ("Input", "InputPath", "InputTransformer")


def check(target: dict[str, Any]) -> None:
    """Refuse a target whose input cannot be made.

    Raises
    ------
    ValueError
        With what is wrong.
    """
    if len([kind for kind in KINDS if kind in target]) > 1:
        raise ValueError(f"only one of {', '.join(KINDS)} can be given")
    transformer = target.get("InputTransformer", {})
    paths = transformer.get("InputPathsMap", {})
    for path in [*paths.values(), target.get("InputPath", "$")]:
        if not PATH.fullmatch(path):
            raise ValueError(f"{path!r} is no path: expected $, .name or [index]")
    unknown = set(VARIABLE.findall(transformer.get("InputTemplate", ""))) - paths.keys()
    if unknown:
        raise ValueError(f"InputTemplate has <{min(unknown)}>, which InputPathsMap does not define")


def made(target: dict[str, Any], event: dict[str, Any]) -> str:
    """Return the text that a target gets."""
    if "Input" in target:
        return str(target["Input"])
    if "InputTransformer" not in target:
        return json.dumps(_at(event, target.get("InputPath", "$")))
    transformer = target["InputTransformer"]
    paths = transformer.get("InputPathsMap", {})
    values = {name: _at(event, path) for name, path in paths.items()}

    def filled(piece: re.Match[str]) -> str:
        if piece[1]:
            return json.dumps(values[piece[1]])
        return VARIABLE.sub(lambda inner: _inside(values[inner[1]]), piece[0])

    return PIECE.sub(filled, transformer["InputTemplate"])


def _inside(value: Any) -> str:
    """Return a value as it stands in a text of JSON; nothing if there is none."""
    if value is None:
        return ""
    return json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]


def _at(event: Any, path: str) -> Any:
    for name, index in STEP.findall(path):
        try:
            event = event[name] if name else event[int(index)]
        except (LookupError, TypeError):
            return None
    return event
