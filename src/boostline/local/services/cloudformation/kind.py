"""A type of resource, as the table of kinds has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A type of resource.

    Parameters
    ----------
    declared
        Its properties: `Name!` makes another resource if it changes, `Name~` is only recorded.
    calls
        Service, and what is called to create, update and delete it; empty for a type that is only
        recorded. A call gets those properties that its operation has as members. What the creation
        does not take, an update brings. `?Call` is made if all that it requires is there,
        `?Call|Undo` undone with the second once it is not.
    name
        The fact that names it: a property, or one made up.
    keeps
        A fact, and the member of the creation's answer that it is.
    ref
        What Ref gives, of facts: properties, `name`, what is kept, `account`, `region`, and
        `unique`, 12 letters and digits of this resource alone. Otherwise what is kept, or the name.
    attributes
        What GetAtt gives, of the same.
    others
        Facts inside of a property: property, and what its value tells.
    defaults
        Facts that hold where no property says otherwise.
    describe
        What is asked until the resource is ready, or gone.
    """

    declared: str
    calls: tuple[str, str, str, str] = ("", "", "", "")
    name: str = ""
    keeps: tuple[str, str] = ("name", "")
    ref: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    others: dict[str, Callable[[Any], Mapping[str, Any]]] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    describe: str = ""

    @property
    def service(self) -> str:
        """The service that has it; empty if it is only recorded."""
        return self.calls[0]

    @property
    def properties(self) -> set[str]:
        """Return the names of all properties."""
        return {each.rstrip("!~") for each in self.declared.split()}

    @property
    def replacing(self) -> set[str]:
        """Return those whose change makes another resource."""
        return {each[:-1] for each in self.declared.split() if each.endswith("!")}

    @property
    def recorded(self) -> set[str]:
        """Return those that have no effect here."""
        return {each[:-1] for each in self.declared.split() if each.endswith("~")}
