from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from boostline.local.platform import Platform, PlatformInUse, Settings
from boostline.local.wire.server import PortInUse, running
from tests.conftest import RunningPlatform
from tests.local.raw import sign

PROGRAM = """
import sys
from pathlib import Path
from boostline.local.platform import Platform, Settings
from boostline.local.wire.server import serve
serve(Platform(Settings(Path(sys.argv[1]), port=0)), lambda port: print(port, flush=True))
print("ended", flush=True)
"""


def test_a_port_that_is_taken_is_told(platform: RunningPlatform, tmp_path: Path) -> None:
    port = platform.platform.port
    other = Platform(Settings(tmp_path / "other", port=port))
    with (
        pytest.raises(PortInUse, match=f"port {port} on 127.0.0.1 is taken.*--port"),
        running(other),
    ):
        pass
    other.stop()


def test_a_folder_has_one_platform(platform: RunningPlatform) -> None:
    with pytest.raises(PlatformInUse, match=f"process {os.getpid()} runs a platform"):
        Platform(Settings(platform.platform.folder, port=0))


def test_what_keeps_a_service_from_starting_is_raised(tmp_path: Path) -> None:
    platform = Platform(Settings(tmp_path, port=0))
    platform.database.close()
    with pytest.raises(Exception, match="closed database"), running(platform):
        pass


def test_only_loopback_is_listened_on(platform: RunningPlatform) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it only chooses our own address
        address = probe.getsockname()[0]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, platform.platform.port), timeout=1).close()


def test_one_connection_carries_many_calls_without_delay(platform: RunningPlatform) -> None:
    """Without TCP_NODELAY each call of a row takes 40 ms or more, but for the first ones."""
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    headers = sign(platform, "sts", "POST", "/", body, form)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    host = f"Host: 127.0.0.1:{platform.platform.port}"
    head = "\r\n".join(["POST / HTTP/1.1", host, f"Content-Length: {len(body)}", *lines, "", ""])
    with socket.create_connection(("127.0.0.1", platform.platform.port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        took = []
        for _ in range(50):
            began = time.perf_counter()
            connection.sendall(head.encode())
            connection.sendall(body)
            answer = b""
            while b"</GetCallerIdentityResponse>" not in answer:
                answer += connection.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200")
            took.append(time.perf_counter() - began)
    assert min(took[10:]) < 0.03, "each of them waits, however quick the machine"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(tmp_path: Path, number: signal.Signals) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with program:
        assert program.stdout is not None
        port = int(program.stdout.readline())
        access_key, secret_key = (tmp_path / "credentials").read_text().split()
        client = boto3.client(
            "sts",
            "us-east-1",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
        )
        client.get_caller_identity()  # leaves its connection open
        program.send_signal(number)
        assert program.stdout.readline() == "ended\n"
        assert program.wait(60) == 0
        client.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_idle_platform_is_small(tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with program:
        assert program.stdout is not None
        program.stdout.readline()
        status = Path(f"/proc/{program.pid}/status").read_text()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        program.terminate()
    assert int(resident.split()[1]) < 150 * 1024
