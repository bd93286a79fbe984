"""Reading `boostline.toml`: every mistake at once, each with its key."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from boostline.contracts.errors import BoostlineError
from boostline.contracts.metrics import METRICS
from boostline.project.config import Config

FILE = "boostline.toml"


class ProjectError(BoostlineError):
    """The project file cannot be used; `mistakes` holds each mistake's own sentence."""

    exit_code = 2

    def __init__(self, path: Path, mistakes: list[str]) -> None:
        super().__init__("\n".join(f"{path}: {mistake}" for mistake in mistakes))
        self.mistakes = mistakes


def read(path: Path) -> Config:
    """Read a project file, or that of a folder.

    Raises
    ------
    ProjectError
        With every mistake: file, key, what was found, what is allowed.
    """
    path = path / FILE if path.is_dir() else path
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ProjectError(
            path, ["is not there: `boostline new` makes one, `--project` names another place"]
        ) from None
    except OSError as error:
        raise ProjectError(path, [f"cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ProjectError(path, [f"is not UTF-8 (byte {error.start})"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(path, [f"is not TOML: {error}"]) from None
    try:
        config = Config.model_validate(plain, context={"root": path.parent.resolve()})
    except ValidationError as error:
        raise ProjectError(path, _sentences(error.errors())) from None
    mistakes = list(_across_sections(config))
    if mistakes:
        raise ProjectError(path, mistakes)
    return config


def _across_sections(config: Config) -> Iterator[str]:
    spec = config.spec
    for problem in spec.problems():
        yield f"{problem.key}: {problem.message}"
    yield from _gates(config)
    for number, name in enumerate(config.evaluate.slices, 1):
        if name not in spec.categorical:
            yield f"evaluate.slices {number}: found {_shown(name)}; allowed: {spec.categorical}"
    for key in config.tags:
        if key.lower().startswith("aws:"):
            yield f"tags.{key}: the prefix aws: is AWS's own; choose another key"
    if "flavor" in config.train.hyperparameters:
        yield "train.hyperparameters.flavor: is said by train.flavor; leave it out here"
    if not config.table.exists():
        yield f"data.path: found {_shown(config.data.path)}; there is no such file or folder"
    for role, path in config.code.items():
        if path.suffix != ".py" or not path.is_file():
            yield f"{role}.code: {path}: there is no such Python file"


def _gates(config: Config) -> Iterator[str]:
    named = [(gate.metric, gate.kind) for gate in config.gate]
    known = METRICS[config.data.objective]
    for number, (metric, kind) in enumerate(named, 1):
        if metric not in known and config.evaluate.code is None:
            yield f"gate {number}: metric: found {_shown(metric)}; allowed: {', '.join(known)}"
        if (metric, kind) in named[: number - 1]:
            yield f"gate {number}: {metric} has a {kind} already: keep one of the two gates"


def _sentences(details: list[ErrorDetails]) -> list[str]:
    """Say each mistake once, also where a value was tried as one of several types."""
    found: dict[str, list[str]] = {}
    places = {detail["loc"] for detail in details}
    for detail in details:
        location = detail["loc"]
        key = _key(location)
        if location[:1] == ("stages",) and ("deploy", *location[2:]) in places:
            continue  # a stage has it from there
        match detail["type"]:
            case "extra_forbidden":
                found[key] = [f"unknown key; {_allowed_keys(detail['loc'])}"]
            case "missing":
                found[key] = ["missing; a value is required"]
            case "value_error":
                found[key] = [detail["msg"].removeprefix("Value error, ")]
            case _:
                found.setdefault(key, [f"found {_shown(detail['input'])}"]).append(_rule(detail))
    # What is wrong between sections is of no key: its message names them.
    where = {key: f"{key}: " if key else "" for key in found}
    return [f"{where[key]}{text[0]}{_alternatives(text[1:])}" for key, text in found.items()]


def _alternatives(rules: list[str]) -> str:
    return f"; {' or '.join(rules)}" if rules else ""


def _rule(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "literal_error":
        return f"allowed: {context['expected']}"
    if detail["type"] == "string_pattern_mismatch":
        return f"must match {context['pattern']}"
    return detail["msg"].replace("Input should", "should", 1)


def _key(location: tuple[int | str, ...]) -> str:
    """Write a place as a person would: `gate 2: metric`, `train.hyperparameters.eta`."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f" {part + 1}:"
        elif part not in ("str", "int", "float", "bool"):  # the members of a union
            text += (" " if text.endswith(":") else "." if text else "") + part
    return text.removesuffix(":")


def _allowed_keys(location: tuple[int | str, ...]) -> str:
    """Say which keys a section has, the nearest first asked for."""
    section: type[BaseModel] = Config
    for part in location[:-1]:
        if part in section.model_fields:  # not a place in a list, nor a name in a table of tables
            section = _model(section.model_fields[part].annotation)
    keys = sorted(section.model_fields)
    near = difflib.get_close_matches(str(location[-1]), keys, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}allowed: {', '.join(keys)}"


def _model(annotation: Any) -> type[BaseModel]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is dict:
        return _model(get_args(annotation)[1])
    return next(_model(part) for part in get_args(annotation) if part is not type(None))


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
