"""The checks of a container that serves many models: they are loaded and asked by name."""

from __future__ import annotations

import json
from dataclasses import dataclass

from boostline.conformance.bench import Bench, Check, Fails, NotApplicable
from boostline.conformance.client import Answer, as_json, ask, head
from boostline.conformance.server import Server, extra, given, start
from boostline.conformance.subject import ML

LABEL = "com.amazonaws.sagemaker.capabilities.multi-models"
NAME, UNKNOWN = "contract-test", "contract-test-unknown"
LOAD = "models.load"


@dataclass(frozen=True)
class Many:
    """A server of many models that has loaded the given one."""

    server: Server
    url: str
    seconds: float

    def ask(self, method: str, path: str, plain: object = None) -> Answer:
        """Send a request with a JSON body, or with none."""
        body = b"" if plain is None else json.dumps(plain).encode()
        headers = {"Content-Type": "application/json"} if body else {}
        return ask(self.server.port, method, path, body, headers, self.seconds)

    def load(self) -> Answer:
        """Ask for the model to be loaded."""
        return self.ask("POST", "/models", {"model_name": NAME, "url": self.url})


def loaded(bench: Bench) -> Many:
    """Start a server without a model, and load the given one as SageMaker does."""
    labels = (bench.subject.image or {}).get("Labels") or {}
    if labels.get(LABEL) != "true" and not bench.inputs.many:
        raise NotApplicable(f"it has no label {LABEL}=true; --multi-model tests it all the same")
    if bench.inputs.model is None:
        raise NotApplicable("give --model")
    place = f"models/{NAME}/model"
    server = start(bench, extra(bench, {"SAGEMAKER_MULTI_MODEL": "true"}, model=place))
    many = Many(server, f"{ML}/{place}", bench.limits.invocation)
    answer = many.load()
    if answer.status != 200:
        raise Fails(f"POST /models is answered {answer.shown}")
    return many


def _load(bench: Bench) -> None:
    bench.once(loaded)


def _load_again(bench: Bench) -> None:
    answer = bench.need(loaded, LOAD).load()
    if answer.status != 409:
        raise Fails(f"POST /models for a loaded model is answered {answer.shown}")


def _list(bench: Bench) -> None:
    many = bench.need(loaded, LOAD)
    answer = many.ask("GET", "/models")
    found = as_json(answer)
    models = found.get("models") if isinstance(found, dict) else None
    if {"modelName": NAME, "modelUrl": many.url} not in (models or []):
        raise Fails(f"GET /models is answered {answer.shown}")
    answer = many.ask("GET", f"/models/{NAME}")
    if answer.status != 200:
        raise Fails(f"GET /models/{NAME} is answered {answer.shown}")


def _invoke(bench: Bench) -> None:
    many, request = bench.need(loaded, LOAD), given(bench)
    for name, status in ((NAME, 200), (UNKNOWN, 404)):
        path = f"/models/{name}/invoke"
        answer = ask(many.server.port, "POST", path, request.body, head(request), many.seconds)
        if answer.status != status:
            raise Fails(f"POST {path} is answered {answer.shown}")


def _unload(bench: Bench) -> None:
    many = bench.need(loaded, LOAD)
    for method, status in (("DELETE", 200), ("GET", 404), ("DELETE", 404)):
        answer = many.ask(method, f"/models/{NAME}")
        if answer.status != status:
            raise Fails(f"{method} /models/{NAME} is answered {answer.shown}, not {status}")
    if (answer := many.load()).status != 200:
        raise Fails(f"loaded again after that, it is answered {answer.shown}")


CHECKS = (
    Check(
        LOAD,
        "must",
        "Of many models: SAGEMAKER_MULTI_MODEL is set, and POST /models {model_name, url} loads "
        "the model in that folder.",
        _load,
    ),
    Check("models.load-again", "must", "A model that is loaded already: 409.", _load_again),
    Check(
        "models.list",
        "must",
        "GET /models lists modelName and modelUrl of those loaded; GET /models/{name} knows them.",
        _list,
    ),
    Check(
        "models.invoke",
        "must",
        "POST /models/{name}/invoke answers as /invocations would; an unknown model: 404.",
        _invoke,
    ),
    Check(
        "models.unload",
        "must",
        "DELETE /models/{name} unloads a model, so that it is unknown and can be loaded again.",
        _unload,
    ),
)
