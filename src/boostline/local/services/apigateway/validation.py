"""Request bodies against the models of a document, as a request validator checks them.

Models are JSON schema draft 4:
https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from boostline.local.services.apigateway import schemas

JSON = "application/json"
MOST = 20  # problems that are told
LOOKED_AT = 1_000  # problems: many may be told in the same words
LENGTH = 500  # characters of all of them: they may go into a header


class Models:
    """What the bodies of an operation must be, by media type.

    Parameters
    ----------
    content
        Member `content` of an OpenAPI request body.
    components
        What its schemas refer to.
    required
        Whether there must be a body.

    Raises
    ------
    ValueError
        If one is no JSON schema, or nothing could be checked by it.
    """

    def __init__(
        self, content: Mapping[str, Any], components: Mapping[str, Any], required: bool
    ) -> None:
        from jsonschema import Draft4Validator, SchemaError  # noqa: PLC0415

        self._required = required
        self._validators = {}
        for kind, media in content.items():
            schema = {"allOf": [media.get("schema", {})], "components": components}
            try:
                for found in components.get("schemas", {}).values():
                    Draft4Validator.check_schema(found)
                Draft4Validator.check_schema(schema)
            except SchemaError as error:
                raise ValueError(f"a model is no JSON schema: {error.message}") from None
            except RecursionError:
                raise ValueError("a model is nested too deeply to be checked") from None
            schemas.check(schema)
            self._validators[kind] = Draft4Validator(schema)

    def problems(self, kind: str, body: bytes) -> str:
        """Return `$context.error.validationErrorString`; empty for a body that fits.

        A media type without a model is not checked: it is passed through.
        """
        validator = self._validators.get(kind.partition(";")[0].strip().lower() or JSON)
        if validator is None:
            return ""
        if not body:
            return "[a body is required]" if self._required else ""
        try:
            # Each missing property is a problem of its own, and is told with all others.
            found = _first(map(_sentence, validator.iter_errors(json.loads(body))))
        except ValueError:
            return "[the body is not JSON]"
        except RecursionError:
            return "[the body is nested too deeply]"
        return f"[{', '.join(found)[:LENGTH]}]" if found else ""


def _first(sentences: Iterable[str]) -> list[str]:
    """Return the first different ones; the search for more ends where they are enough."""
    found: dict[str, None] = {}
    for sentence in islice(sentences, LOOKED_AT):
        found[sentence] = None
        if len(found) == MOST:
            break
    return list(found)


def _sentence(error: Any) -> str:
    """Word a problem as API Gateway does, where the document of a stage can have it."""
    wanted, found = error.validator_value, error.instance
    match error.validator:
        case "required":
            missing = sorted(name for name in wanted if name not in found)
            return f"object has missing required properties ({_text(missing)})"
        case "additionalProperties":
            odd = sorted(found.keys() - error.schema.get("properties", {}).keys())
            said = "object instance has properties which are not allowed by the schema"
            return f"{said}: {_text(odd)}"
        case "maxItems":
            most = f"must have at most {wanted} elements but instance has {len(found)} elements"
            return f"array is too long: {most}"
    where = error.json_path.encode("unicode_escape").decode()
    return f"{where} does not fit {error.validator} {_text(wanted)}"


def _text(value: object) -> str:
    """Write a value in ASCII, as a header needs it."""
    return json.dumps(value, separators=(",", ":"))
