"""Resolve every lock file anew: `make lock`.

Each file is in the format of `pip install --require-hashes`, holds for every supported Python and
platform, and names no registry.
"""

import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
# The SDK and what it needs are there in Lambda's runtime.
PROVIDED = ("botocore", "jmespath", "python-dateutil", "six", "urllib3")
RUNTIME = ("container", "xgboost", "scikit-learn", "gateway", "local")
# What the model image may hold, by what each flavor declares but only draws with.
FLAVORS: Mapping[str, Sequence[str]] = {
    "xgboost": (),
    "scikit-learn": (),
    "lightgbm": (),
    "catboost": ("graphviz", "plotly"),
}
FLAGS = ("--quiet", "--universal", "--python-version=3.11", "--generate-hashes", "--no-header")


def resolve(output: Path, source: str, *arguments: str, requirements: str = "") -> None:
    """Write the lock file `output` for a requirements source, as `uv pip compile` takes it."""
    command = [sys.executable, "-m", "uv", "pip", "compile", source, "--upgrade", *FLAGS]
    command += [*arguments, f"--output-file={output.relative_to(ROOT)}"]
    print(output.relative_to(ROOT))
    subprocess.run(command, input=requirements, text=True, check=True, cwd=ROOT)


def main() -> None:
    """Resolve the largest set first: the others are constrained to its versions."""
    locks = ROOT / "requirements"
    every = locks / "dev.txt"
    resolve(every, "pyproject.toml", "--all-extras")
    same = f"--constraint={every.relative_to(ROOT)}"
    runtime = [f"--extra={extra}" for extra in RUNTIME]
    resolve(locks / "runtime.txt", "pyproject.toml", *runtime, same)
    resolve(locks / "build.txt", "-", same, requirements="flit-core")
    for flavor, unused in FLAVORS.items():
        left_out = [f"--no-emit-package={name}" for name in unused]
        needed = "\n".join(EXTRAS["container"] + EXTRAS[flavor])
        resolve(locks / "flavors" / f"{flavor}.txt", "-", same, *left_out, requirements=needed)
    resolve(locks / "sbom.txt", "-", requirements="cyclonedx-bom")
    image = "\n".join([*EXTRAS["gateway"], "awslambdaric", "botocore"])
    resolve(locks / "gateway.txt", "-", same, requirements=image)
    gateway = ROOT / "src/boostline/gateway/requirements.txt"
    left_out = [f"--no-emit-package={name}" for name in PROVIDED]
    resolve(gateway, "-", same, *left_out, requirements="\n".join(EXTRAS["gateway"]))


if __name__ == "__main__":
    main()
