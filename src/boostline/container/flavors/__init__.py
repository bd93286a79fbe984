"""How a framework trains, saves and loads a model: one module a framework, listed here."""

from importlib import import_module

from boostline.container.errors import ContainerError
from boostline.container.flavors.base import Flavor

# Imported when asked for: a framework is heavy, and need not be installed.
FLAVORS = {"xgboost": "boostline.container.flavors.xgb"}


def find_flavor(name: str) -> Flavor:
    """Import a flavor by its name.

    Raises
    ------
    ContainerError
        There is none of that name.
    """
    if name not in FLAVORS:
        raise ContainerError(f"unknown flavor {name!r}: known are {', '.join(FLAVORS)}")
    flavor: Flavor = import_module(FLAVORS[name]).FLAVOR
    return flavor
