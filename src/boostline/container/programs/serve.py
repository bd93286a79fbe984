"""serve: a sealed artifact behind SageMaker's hosting contract (Starlette on uvicorn)."""

import os
from collections.abc import Mapping

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from boostline.artifact.folder import open_artifact
from boostline.container.errors import ContainerError
from boostline.container.loading import load_model
from boostline.container.paths import Paths
from boostline.container.programs.media import JSON
from boostline.container.programs.scoring import Request, Scorer, ScoringError

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
MAX_BODY = 25_000_000  # what InvokeEndpoint passes on at most
# Larger bodies, and slow models, are scored in a thread: a health check is answered meanwhile.
_LARGE_BODY = 64_000
_GRACE_SECONDS = 25  # SageMaker kills 30 s after SIGTERM


def run(paths: Paths) -> None:
    """Load and verify the model, then serve until SIGTERM.

    Raises
    ------
    ContainerError, ArtifactError
        The model or the port cannot be used: nothing is served.
    """
    host = os.environ.get("BOOSTLINE_BIND_ADDRESS") or "0.0.0.0"  # noqa: S104
    port = _port(os.environ)
    loaded = load_model(open_artifact(paths.model))
    scorer = Scorer(loaded, _version(os.environ))
    print(f"serving on {host}:{port}: {scorer.attributes}", flush=True)
    uvicorn.run(
        create_app(scorer),
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def create_app(scorer: Scorer) -> Starlette:
    """Make the web application of a loaded model.

    Parameters
    ----------
    scorer
        What answers; the application only translates HTTP.

    Returns
    -------
    Starlette
        With ``/ping`` and ``/invocations``.
    """
    headers = {ATTRIBUTES: scorer.attributes}

    async def ping(_request: HttpRequest) -> Response:
        return Response(status_code=200)

    async def invocations(http: HttpRequest) -> Response:
        try:
            body = await _body(http)
            request = Request(
                body=body,
                content_type=http.headers.get("content-type", ""),
                accept=http.headers.get("accept", ""),
                attributes=http.headers.get(ATTRIBUTES, ""),
            )
            if scorer.slow or len(body) > _LARGE_BODY:
                reply = await run_in_threadpool(scorer.score, request)
            else:
                reply = scorer.score(request)
        except ScoringError as error:
            return Response(error.to_json(), error.status, headers, media_type=JSON)
        return Response(reply.body, 200, headers, media_type=reply.media_type)

    return Starlette(
        routes=[
            Route("/ping", ping, methods=["GET"]),
            Route("/invocations", invocations, methods=["POST"]),
        ]
    )


async def _body(http: HttpRequest) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in http.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise ScoringError(413, "too_large", f"the body is larger than {MAX_BODY} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _port(environment: Mapping[str, str]) -> int:
    text = environment.get("SAGEMAKER_BIND_TO_PORT") or "8080"
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise ContainerError(f"SAGEMAKER_BIND_TO_PORT: {text!r} is not a port")
    return int(text)


def _version(environment: Mapping[str, str]) -> str:
    version = environment.get("BOOSTLINE_MODEL_VERSION", "")
    if len(version) > 256 or not all(" " < char < "\x7f" and char != ";" for char in version):
        raise ContainerError(f"BOOSTLINE_MODEL_VERSION: {version!r} is not short plain text")
    return version
