"""Models that the user's file saves and loads itself; the file is sealed into the artifact."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from boostline.container.code import UserCode, UserCodeError, open_code
from boostline.container.errors import ContainerError
from boostline.container.flavors.base import Model, Task
from boostline.container.flavors.methods import score
from boostline.features.spec import Objective

if TYPE_CHECKING:  # it reads tables, and serving does not
    from boostline.container.channels import Channels

CODE = Path("code", "train")
FILES = "own"


class OwnFlavor:
    """Needs the file that trained, sealed as ``code/train``; its files are below ``own``."""

    name = "code"
    objectives: Mapping[str, Objective] = {}

    def hyperparameters(self, given: Mapping[str, object]) -> NoReturn:  # noqa: ARG002
        """Refuse: there is nothing built in."""
        raise ContainerError("flavor 'code' is that of models that [train] code trains: name it")

    def train(self, data: Channels, values: object, checkpoints: object) -> NoReturn:  # noqa: ARG002
        """Refuse, as above."""
        self.hyperparameters({})

    def libraries(self) -> Mapping[str, str]:
        """None that we know of."""
        return {}

    def wrap(self, native: Any, task: Task) -> Model:
        """Take anything; without a ``predict`` of the user's it needs scikit-learn's methods."""
        return score(native, task)

    def save(self, model: Model, folder: Path) -> None:
        """Let the user's ``save`` write its files."""
        (folder / FILES).mkdir()
        _code(folder).function("save")(model.native, folder / FILES)

    def load(self, folder: Path, task: Task) -> Model:
        """Let the user's ``load`` read them again."""
        return score(_code(folder).function("load")(folder / FILES), task)


def _code(folder: Path) -> UserCode:
    code = open_code(folder / CODE)
    if code is None:
        raise UserCodeError(f"{folder / CODE}: the file that trained the model is missing")
    return code


FLAVOR = OwnFlavor()
