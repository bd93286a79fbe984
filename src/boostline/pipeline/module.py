"""Pipelines of the user's own: what a module's `get_pipeline(**kwargs)` returns."""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from boostline.contracts.errors import BoostlineError

FUNCTION = "get_pipeline"


class ModuleError(BoostlineError):
    """A module that gives no pipeline; the text names the user's file and line."""

    exit_code = 2


class Given(NamedTuple):
    """A pipeline: its name, if it has one, and its definition as JSON."""

    name: str | None
    definition: str


def load(module: str, kwargs: Mapping[str, Any]) -> Given:
    """Import a module and ask it for its pipeline.

    Parameters
    ----------
    module
        A dotted name, found from the current folder on.
    kwargs
        Arguments of `get_pipeline`.

    Returns
    -------
    Given
        Of a `Pipeline` of the SageMaker SDK (v2 or v3), a dictionary, or JSON text.

    Raises
    ------
    ModuleError
        If it cannot be imported, has no `get_pipeline`, fails, or returns something else.
    """
    sys.path.insert(0, str(Path.cwd()))
    try:
        function = getattr(importlib.import_module(module), FUNCTION, None)
        if function is None:
            raise ModuleError(f"{module}: has no function {FUNCTION}(**kwargs)")
        return _given(module, function(**kwargs))
    except ModuleError:
        raise
    except (Exception, SystemExit) as error:
        raise ModuleError(f"{module}: {_place(error)}{type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)


def _given(module: str, found: Any) -> Given:
    name = getattr(found, "name", None)
    if hasattr(found, "definition"):
        found = found.definition()
    if isinstance(found, dict):
        found = json.dumps(found)
    if not isinstance(found, str):
        raise ModuleError(
            f"{module}: {FUNCTION} returned {type(found).__name__}: expected a Pipeline of the "
            "SageMaker SDK, a dictionary, or JSON text"
        )
    return Given(name if isinstance(name, str) else None, found)


def _place(error: BaseException) -> str:
    """Return the innermost place outside of installed packages and of Boostline."""
    ours = str(Path(__file__).parents[1])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename
        and not frame.filename.startswith((ours, "<", sys.base_prefix))
    ]
    return f"{frames[-1].filename}, line {frames[-1].lineno}: " if frames else ""
