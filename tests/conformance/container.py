"""A small container that keeps the contract, but for the faults that it is asked for.

Arguments: the faults, with commas between; and what SageMaker gives: `train`, `serve`, or nothing
for processing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

FAULTS = sys.argv[1].split(",")
ML = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
KIND = "application/json"
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
MODELS: dict[str, str] = {}  # loaded by name: their folders
PARAMETERS = {"MaxConcurrentTransforms": 1, "BatchStrategy": "MultiRecord", "MaxPayloadInMB": 6}


def fail(place: str, reason: str) -> NoReturn:
    text = reason.encode()
    if "long reason" in FAULTS:
        text *= 1_000
    if "reason in Latin-1" in FAULTS:
        text = "Zähler".encode("latin-1")
    if "no reason" not in FAULTS:
        (ML / "output" / place).write_bytes(text)
    sys.exit(0 if "failure is 0" in FAULTS else 1)


def read(folder: Path, place: str) -> int:
    files = [path for path in folder.rglob("*") if path.is_file()]
    if not files:
        fail(place, "no data")
    return sum(int(path.read_text()) for path in files)


def train() -> None:
    if "ignores SIGTERM" in FAULTS:
        signal.signal(signal.SIGTERM, lambda *_: threading.Event().wait())
    config = ML / "input/config"
    rounds: Any = json.loads((config / "hyperparameters.json").read_text())["rounds"]
    if "plain hyperparameters" in FAULTS and not rounds.isdecimal():
        fail("failure", "rounds is no number")
    while isinstance(rounds, str):
        rounds = json.loads(rounds)
    if "undocumented member" in FAULTS:
        print(json.loads((config / "resourceconfig.json").read_text())["current_instance_type"])
    total = read(ML / "input/data/train", "failure")
    checkpoint = ML / "checkpoints/round"
    done = int(checkpoint.read_text() or 0) if checkpoint.exists() else 0
    if checkpoint.exists() and "does not resume" in FAULTS:
        fail("failure", "what is this file?")
    for number in range(done, rounds):
        print(
            f"round {number}" if "no metrics" in FAULTS else f"round {number} loss=0.5", flush=True
        )
        if checkpoint.parent.exists():
            checkpoint.write_text(str(number))
    while "AWAITED" in os.environ and not (ML / "awaited").exists():
        time.sleep(0.02)
    finish(total)


def finish(total: int) -> None:
    model = ML / "model"
    if "no model" not in FAULTS:
        (model / "model.txt").write_text(str(total))
    if "link" in FAULTS:
        (model / "link").symlink_to("model.txt")
    if "writes to a channel" in FAULTS:
        (ML / "input/data/train/cache").write_text("1")
    if "never succeeds" in FAULTS:
        fail("failure", "no")


def process() -> None:
    total = read(ML / "processing/input/numbers", "message")
    output = ML / "processing/output/sum"
    if "no output" not in FAULTS:
        (output / "sum.txt").write_text(str(total))
    if "link" in FAULTS:
        (output / "link").symlink_to("sum.txt")
    if "never succeeds" in FAULTS:
        fail("message", "no")


class Handler(BaseHTTPRequestHandler):
    invoked = 0
    at_once = 0
    broken = False

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.startswith("/models"):
            self.answer(*self.known(self.path[len("/models/") :]))
            return
        if self.path == "/execution-parameters":
            wrong = {"MaxPayloadInMB": "6"} if "execution parameters" in FAULTS else {}
            self.answer(200, json.dumps({**PARAMETERS, **wrong}).encode())
            return
        if "slow ping after an invocation" in FAULTS and Handler.invoked:
            time.sleep(2)
        healthy = "never healthy" not in FAULTS
        self.answer(200 if healthy else 503, b"fine" if "ping with a body" in FAULTS else b"")

    def known(self, name: str) -> tuple[int, bytes]:
        if not name:
            shown = [{"modelName": key, "modelUrl": url} for key, url in MODELS.items()]
            return 200, json.dumps({"models": [] if "no list" in FAULTS else shown}).encode()
        return (200, b"{}") if name in MODELS else (404, b"{}")

    def do_DELETE(self) -> None:
        name = self.path[len("/models/") :]
        status, body = self.known(name)
        if "never unloads" not in FAULTS:
            MODELS.pop(name, None)
        self.answer(status, body)

    def load(self, name: str, url: str) -> tuple[int, bytes]:
        if name in MODELS and "loads twice" not in FAULTS:
            return 409, b"{}"
        if "never loads" in FAULTS:
            return 507, b"{}"
        MODELS[name] = url
        return 200, b"{}"

    def invoke_one(self, name: str, body: bytes) -> tuple[int, bytes]:
        if name not in MODELS and "invokes any model" not in FAULTS:
            return 404, b"{}"
        return self.invoke(body)

    def do_POST(self) -> None:
        Handler.at_once += 1
        try:
            status, text = self.asked(self.body())
        finally:  # before the answer: who has it may ask again at once
            Handler.at_once -= 1
            Handler.invoked += 1
        self.answer(status, text)

    def asked(self, body: bytes) -> tuple[int, bytes]:
        if self.path == "/models":
            wanted = json.loads(body)
            return self.load(wanted["model_name"], wanted["url"])
        if self.path.startswith("/models/"):
            return self.invoke_one(self.path.split("/")[2], body)
        return self.invoke(body)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = b""
        while "no chunks" not in FAULTS and (size := int(self.rfile.readline(), 16)):
            parts += self.rfile.read(size)
            self.rfile.readline()
        return parts

    def invoke(self, body: bytes) -> tuple[int, bytes]:
        if status := self.refusal(body):
            return status, b'{"error": "refused"}'
        try:
            numbers = json.loads(body)
            return 200, json.dumps({"sum": sum(numbers) + int(model())}).encode()
        except (ValueError, TypeError, RecursionError):
            Handler.broken = True
            small = len(body) < 1_000_000
            status = 500 if "5xx for a bad request" in FAULTS and small else 400
            return status, b'{"error": "bad"}'
        except FileNotFoundError:
            return 500, b'{"error": "no model"}'

    def refusal(self, body: bytes) -> int:
        kind, accept = self.headers.get("Content-Type"), self.headers.get("Accept", KIND)
        wrong: dict[str, tuple[bool, int]] = {
            "no invocations": (True, 500),
            "refuses unknown headers": ("X-Contract-Test" in self.headers, 400),
            "refuses attributes": (ATTRIBUTES in self.headers, 400),
            "large body": (len(body) > 1_000_000, 503),
            "broken for good": (Handler.broken, 400),
            "one request at once": ("one request at once" in FAULTS and self.crowded(), 429),
        }
        for fault, (found, status) in wrong.items():
            if fault in FAULTS and found:
                return status
        if kind != KIND and "any Content-Type" not in FAULTS:
            return 415
        return 406 if accept != KIND and "any Accept" not in FAULTS else 0

    def crowded(self) -> bool:
        time.sleep(0.02)
        return Handler.at_once > 1

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if "no Content-Type" not in FAULTS:
            self.send_header("Content-Type", KIND)
        self.send_header(ATTRIBUTES, "a" * (2_000 if "long attributes" in FAULTS else 10))
        if "cannot restart" not in FAULTS:  # which needs connections that the server closed first
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # requests in flight are awaited
    request_queue_size = 128


class Few(Server):
    """No connection is accepted while 20 are open, and 30 wait."""

    request_queue_size = 30
    free = threading.Semaphore(20)

    def process_request(self, *request: Any) -> None:
        self.free.acquire()
        super().process_request(*request)

    def shutdown_request(self, *request: Any) -> None:
        super().shutdown_request(*request)
        self.free.release()


def model() -> str:
    folder = Path(*MODELS.values()) if MODELS else ML / "model"
    return (folder / "model.txt").read_text()


def serve() -> None:
    port = os.environ.get("SAGEMAKER_BIND_TO_PORT")
    default = 0 if "another port" in FAULTS else int(os.environ.get("DEFAULT_PORT", "8080"))
    if "model not needed" in FAULTS or "SAGEMAKER_MULTI_MODEL" in os.environ:
        pass
    elif not (ML / "model/model.txt").exists():
        sys.exit("no model")
    if "writes to the model" in FAULTS:
        (ML / "model/cache").write_text("1")
    if "no batch" in FAULTS and "SAGEMAKER_BATCH" in os.environ:
        sys.exit("no batch")
    if "port 8080 alone" in FAULTS:
        port = None
    Server.allow_reuse_address = not ("cannot restart" in FAULTS and port)
    kind = Few if "few connections" in FAULTS else Server
    server = kind(("0.0.0.0", int(port or default)), Handler)
    stop = threading.Thread(target=server.shutdown)
    if "ignores SIGTERM" in FAULTS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif "drops requests" not in FAULTS:
        signal.signal(signal.SIGTERM, lambda *_: stop.start())
    server.serve_forever(0.05)
    server.server_close()


PROGRAMS: dict[str, Callable[[], None]] = {"train": train, "serve": serve, "process": process}

if __name__ == "__main__":
    name = (sys.argv[2:] or ["process"])[0]
    if "takes any argument" in FAULTS:
        name = "train" if name not in PROGRAMS else name
    if "writes elsewhere" in FAULTS:
        Path("/cache").write_text("1")
    PROGRAMS.get(name, lambda: sys.exit(2))()
