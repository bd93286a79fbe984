from pathlib import Path

import pytest

from boostline.container.errors import ContainerError
from boostline.container.server import settings
from boostline.container.server.settings import MAX_BODY, UNBOUNDED_BODY, Settings, usable_cpus


def test_an_empty_environment() -> None:
    found = Settings.read({})
    assert found == Settings("0.0.0.0", 8080, usable_cpus(), MAX_BODY, "")


def test_what_is_told() -> None:
    found = Settings.read(
        {
            "SAGEMAKER_BIND_TO_PORT": "9000",
            "BOOSTLINE_BIND_ADDRESS": "127.0.0.1",
            "SAGEMAKER_MODEL_SERVER_WORKERS": "3",
            "BOOSTLINE_MODEL_VERSION": "7",
        }
    )
    assert found == Settings("127.0.0.1", 9000, 3, MAX_BODY, "7")


@pytest.mark.parametrize(
    ("variables", "limit"),
    [
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "7"}, MAX_BODY),
        ({"SAGEMAKER_BATCH": "true"}, MAX_BODY),
        ({"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "7"}, 7 << 20),
        ({"SAGEMAKER_BATCH": "True", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"}, UNBOUNDED_BODY),
    ],
)
def test_the_largest_body(variables: dict[str, str], limit: int) -> None:
    assert Settings.read(variables).limit == limit


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAGEMAKER_BIND_TO_PORT", "http"),
        ("SAGEMAKER_BIND_TO_PORT", "65536"),
        ("SAGEMAKER_BIND_TO_PORT", "²"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "-1"),
        ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "1e3"),
        ("BOOSTLINE_MODEL_VERSION", "a;b"),
    ],
)
def test_a_value_that_cannot_be_used(name: str, value: str) -> None:
    with pytest.raises(ContainerError, match=name):
        Settings.read({"SAGEMAKER_BATCH": "true", name: value})


@pytest.mark.parametrize(
    ("files", "membership", "cpus"),
    [
        ({}, "0::/job\n", 64),
        ({"job/cpu.max": "max 100000"}, "0::/job\n", 64),
        ({"job/cpu.max": "250000 100000"}, "0::/job\n", 3),
        ({"job/cpu.max": "10000 100000"}, "0::/job\n", 1),
        # The group around it is narrower.
        ({"job/cpu.max": "max 100000", "cpu.max": "200000 100000"}, "0::/job\n", 2),
        # The path is that of the host.
        ({"cpu.max": "200000 100000"}, "0::/docker/1234\n", 2),
        (
            {
                "cpu,cpuacct/j/cpu.cfs_quota_us": "150000",
                "cpu,cpuacct/j/cpu.cfs_period_us": "50000",
            },
            "5:memory:/j\n4:cpu,cpuacct:/j\n0::/\n",
            3,
        ),
        (
            {"cpu/j/cpu.cfs_quota_us": "-1", "cpu/j/cpu.cfs_period_us": "100000"},
            "1:cpu:/j\n",
            64,
        ),
    ],
)
def test_a_quota_of_the_cgroup(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    membership: str,
    cpus: int,
) -> None:
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    (tmp_path / "cgroup").write_text(membership)
    monkeypatch.setattr(settings, "_CGROUPS", tmp_path / "root")
    monkeypatch.setattr(settings, "_MEMBERSHIP", tmp_path / "cgroup")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)))
    assert usable_cpus() == cpus
