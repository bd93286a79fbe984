"""The mechanical mutation test: each node of each template deleted, renamed, retyped or swapped.

python -m tests.infra.mutation            all of them
python -m tests.infra.mutation 300 7      a sample of 300, seed 7
"""

from __future__ import annotations

import copy
import multiprocessing
import random
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from tests.infra.checks import first_problem
from tests.infra.rendering import INFRA, NAMES, Json, load

SURVIVORS = INFRA / "mutation-survivors.toml"
# Lists in whose order nothing lies, by the member that holds them.
SETS = {
    "Alarms",
    "AllowedValues",
    "CaptureOptions",
    "Dimensions",
    "Fn::And",
    "Fn::Equals",
    "Fn::Or",
    "JsonContentTypes",
    "Resource",
    "Statement",
    "iam:PassedToService",
}
Place = tuple[str | int, ...]


class Mutant(NamedTuple):
    """A template with one node changed."""

    template: str
    how: str
    path: Place

    def __str__(self) -> str:
        return f"{self.template} {self.how} {'/'.join(map(str, self.path))}"


def mutants(name: str) -> Iterator[Mutant]:
    """Give every mutant of a template that differs from it by more than an order of no meaning."""
    template = load(name)
    for path, parent in nodes(template):
        for how in ("delete", "rename", "retype", "swap"):
            mutant = Mutant(name, how, path)
            if (how != "rename" or isinstance(path[-1], str)) and not _same(
                template, mutant, parent
            ):
                yield mutant


def nodes(template: Json) -> Iterator[tuple[Place, Any]]:
    """Give the path of each node, and what holds it."""
    stack: list[tuple[Place, Any]] = [((), template)]
    while stack:
        path, node = stack.pop()
        inner = (
            node.items()
            if isinstance(node, dict)
            else enumerate(node)
            if isinstance(node, list)
            else ()
        )
        for key, value in inner:
            yield (*path, key), node
            stack.append(((*path, key), value))


def apply(template: Json, mutant: Mutant) -> Json:
    """Return a template with a mutant's change; the template itself stays."""
    made = copy.deepcopy(template)
    *before, key = mutant.path
    holder: Any = made
    for name in before:
        holder = holder[name]
    match mutant.how:
        case "delete":
            del holder[key]
        case "rename":
            renamed = {f"{name}X" if name == key else name: value for name, value in holder.items()}
            holder.clear()
            holder.update(renamed)
        case "retype":
            holder[key] = _retyped(holder[key])
        case "swap":
            other = _next(holder, key)
            if other is not None:
                holder[key], holder[other] = holder[other], holder[key]
    return made


def _retyped(value: Any) -> Any:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value[0] if value else "x"
    return 7 if isinstance(value, str) else "x"


def _next(holder: Any, key: Any) -> Any:
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    place = keys.index(key) + 1
    return keys[place] if place < len(keys) else None


def _same(template: Json, mutant: Mutant, holder: Any) -> bool:
    """Whether a swap changes nothing: equal siblings, none, or items of a set."""
    if mutant.how != "swap":
        return False
    *_, key = mutant.path
    other = _next(holder, key)
    owner = next((name for name in reversed(mutant.path[:-1]) if isinstance(name, str)), "")
    return (
        other is None
        or holder[key] == holder[other]
        or (isinstance(holder, list) and owner in SETS)
    )


template_of = cache(load)


def lives(mutant: Mutant) -> bool:
    """Whether no check finds anything wrong with a mutant."""
    return first_problem(mutant.template, apply(template_of(mutant.template), mutant)) is None


def survivors(chosen: Sequence[Mutant]) -> list[Mutant]:
    """Return those that live, tried on every core."""
    with multiprocessing.get_context("forkserver").Pool() as pool:
        alive = pool.map(lives, chosen, chunksize=8)
    return [mutant for mutant, lived in zip(chosen, alive, strict=True) if lived]


def everything() -> list[Mutant]:
    """Return the mutants of all templates."""
    return [mutant for name in NAMES for mutant in mutants(name)]


def sample(count: int, seed: int) -> list[Mutant]:
    """Return some of all mutants, always the same for a seed."""
    return random.Random(seed).sample(everything(), count)


def harmless() -> dict[str, str]:
    """Return the survivors that are known, each with the reason why it does no harm."""
    if not SURVIVORS.exists():
        return {}
    groups = tomllib.loads(SURVIVORS.read_text())["group"]
    return {mutant: group["reason"] for group in groups for mutant in group["mutants"]}


def main(arguments: Sequence[str]) -> int:
    """Run the mutants, print what lives, and compare it with the list of what is known to."""
    chosen = sample(*map(int, arguments)) if arguments else everything()
    alive = survivors(chosen)
    known = harmless()
    print(
        f"{len(chosen)} mutants, {len(chosen) - len(alive)} killed: "
        f"{1 - len(alive) / len(chosen):.1%}; survivors by template and change:"
    )
    for (template, how), count in sorted(Counter((m.template, m.how) for m in alive).items()):
        print(f"  {template:10} {how:8} {count}")
    new = [mutant for mutant in alive if str(mutant) not in known]
    for mutant in new:
        print(f"not known: {mutant}")
    tried = {str(mutant) for mutant in chosen}
    gone = sorted((known.keys() & tried) - {str(mutant) for mutant in alive}) + (
        sorted(known.keys() - tried) if not arguments else []
    )
    for text in gone:
        print(f"known, and not alive any more: {text}")
    return bool(new or gone)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
