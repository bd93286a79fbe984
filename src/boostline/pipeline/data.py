"""Data and configuration on their way to S3, each under the digest of its content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from boostline.contracts.errors import BoostlineError
from boostline.pipeline.definition import Place
from boostline.project import store
from boostline.project.config import Config
from boostline.project.store import Content
from boostline.project.target import Target

SUFFIXES = (".csv", ".gz", ".parquet")


class DataError(BoostlineError):
    """The project's table cannot be uploaded."""

    exit_code = 2


def upload(config: Config, target: Target) -> Place:
    """Store a project's table and configuration where its pipeline reads them.

    The same content has the same URI, so that the argument-keyed cache of SageMaker hits whenever
    the content is the same, and misses when it is not. What is there is not sent again.

    Raises
    ------
    DataError
        If the table is no CSV or Parquet file, or a folder without any.
    """
    store.ensure_bucket(target)
    uris = {
        name: store.put(target, f"{config.name}/{name}", found)
        for name, found in contents(config).items()
    }
    return Place(
        role=target.role,
        image=target.image(config.train.flavor),
        bucket=target.bucket,
        data_uri=uris["data"],
        config_uri=uris["config"],
        evaluation_uri=uris["evaluation"],
        champion_uri=uris["champion"],
        code={
            name.removeprefix("code-"): uri
            for name, uri in uris.items()
            if name.startswith("code-")
        },
        key=target.key,
    )


def contents(config: Config) -> dict[str, Mapping[str, Content]]:
    """Return all files that the jobs of a project read, by the input that they are.

    Raises
    ------
    DataError
        If the table is no CSV or Parquet file, or a folder without any.
    """
    return {
        "data": _table(config.table),
        "config": {"config.json": job_config(config)},
        "evaluation": {"config.json": evaluation_config(config)},
        # An input must name something: this is the champion of a project that has none.
        "champion": {"none.json": b"{}\n"},
        **{f"code-{program}": found for program, found in code_files(config.code).items()},
    }


def code_files(code: Mapping[str, Path]) -> dict[str, dict[str, Content]]:
    """Return the user's own files by the program that reads them, as it finds them in its input.

    Training reads two: its own, and that of serving, which it seals into the artifact.
    """
    found: dict[str, dict[str, Content]] = {}
    for role, path in code.items():
        program, folder = {"train": ("train", "train/"), "serve": ("train", "serve/")}.get(
            role, (role, "")
        )
        beside = path.with_name("requirements.txt")
        for file in (path, *([beside] if beside.is_file() else [])):
            found.setdefault(program, {})[folder + file.name] = file
    return found


def _table(table: Path) -> dict[str, Path]:
    """Return the files of a table by the name in S3: a single one may be renamed at home."""
    files = table_files(table)
    if len(files) == 1:
        suffix = next(end for end in (".csv.gz", *SUFFIXES) if files[0].name.lower().endswith(end))
        return {f"table{suffix}": files[0]}
    return {file.name: file for file in files}


def table_files(table: Path) -> list[Path]:
    """Return the files of a table: itself, or those of a folder."""
    files = sorted(table.iterdir()) if table.is_dir() else [table]
    files = [file for file in files if file.name.lower().endswith(SUFFIXES) and file.is_file()]
    if not files:
        raise DataError(f"{table}: a table is {' or '.join(SUFFIXES)}, or a folder of such files")
    return files


def job_config(config: Config) -> bytes:
    """Return the `config.json` of the processing job: features and split, nothing else.

    Derived columns stay in the order of the file, since each may read those before it.
    """
    plain = {
        "version": 1,
        "features": msgspec.to_builtins(config.spec),
        "split": config.split.model_dump(),
        "malformed": {"limit": config.data.malformed},
    }
    return _json(plain)


def evaluation_config(config: Config) -> bytes:
    """Return the `config.json` of the evaluation job."""
    return _json({"version": 1, "slices": config.evaluate.slices})


def _json(plain: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(plain), indent=1)
