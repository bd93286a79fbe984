"""The smoke test of a stage: golden records through its REST API, as a client sends them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import urllib3

from boostline.artifact.golden import Golden, GoldenRecord
from boostline.contracts.errors import BoostlineError
from boostline.contracts.uri import split_uri
from boostline.deploy.api import RestApi
from boostline.features.contract import FeatureContract
from boostline.project.target import Target

TOLERANCE = 1e-5  # of scores, relative above 1: another build of a library may round differently
AT_LEAST = 20  # requests, so that a slow one in twenty shows
SHOWN = 3  # problems
THROTTLED = "TooManyRequestsException"  # of the key's rate; its quota is another
TIMEOUT = 30.0  # seconds that an answer may take: API Gateway gives up after 29
# Until a new key works, and until captured requests are in S3: seconds to wait at most.
READY = {"local": 10.0, "aws": 120.0}
CAPTURED = {"local": 20.0, "aws": 600.0}


class QuotaError(BoostlineError):
    """A stage that cannot be tested, since its key lets no more requests through."""


@dataclass(frozen=True)
class Expected:
    """What a stage must answer.

    Parameters
    ----------
    model
        Name and version, as the endpoint says it in each answer.
    contract, golden
        Those of the version's artifact.
    latency_ms
        What 95 of 100 answers must keep.
    capture
        S3 URI below which requests and answers are captured, if they are.
    capture_percent
        Of how many.
    """

    model: str
    contract: FeatureContract
    golden: Golden
    latency_ms: int
    capture: str | None
    capture_percent: int


@dataclass(frozen=True)
class Outcome:
    """What came of it: each problem in one sentence."""

    requests: int
    latency_ms: float
    problems: Sequence[str]

    @property
    def passed(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def __str__(self) -> str:
        what = f"{self.requests} golden records, p95 {self.latency_ms:.0f} ms"
        if self.passed:
            return f"passed: {what}"
        more = len(self.problems) - SHOWN
        told = "; ".join(self.problems[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
        return f"failed: {what}; {told}"


class SmokeTest:
    """Sends golden records to a REST API and looks at all that comes of it."""

    def __init__(self, target: Target, api: RestApi, expected: Expected) -> None:
        self._target = target
        self._api = api
        self._expected = expected
        self._http = urllib3.PoolManager(retries=False, timeout=TIMEOUT)

    def run(self) -> Outcome:
        """Run it.

        Raises
        ------
        QuotaError
            If the key's quota is used up: what the version answers is not known.
        """
        began = datetime.now(UTC)
        problem = self._await_key()
        if problem:
            return Outcome(0, 0.0, [problem])
        problems, times, requests = dict[str, None](), list[float](), list[str]()
        for number, golden in self._records():
            status, answer, seconds = self._ask("POST", "/predict", golden.record)
            times.append(seconds)
            requests.append(str(answer.get("requestId", "")))
            said = self._judge(golden, status, answer)
            if said:
                problems[f"record {number}: {said}"] = None
        p95 = sorted(times)[int(0.95 * (len(times) - 1))] * 1000
        if p95 > self._expected.latency_ms:
            problems[f"p95 is {p95:.0f} ms, {self._expected.latency_ms} are allowed"] = None
        if not problems and self._expected.capture is not None:
            missing = self._await_capture(self._expected.capture, requests, began)
            problems |= {missing: None} if missing else {}
        return Outcome(len(times), p95, list(problems))

    def _records(self) -> Iterator[tuple[int, GoldenRecord]]:
        records = self._expected.golden.records
        percent = self._expected.capture_percent
        # So many that one in a thousand tests sees none of them captured.
        wanted = max(AT_LEAST, 700 // percent if 0 < percent < 100 else 0)
        for _ in range(-(-wanted // len(records))):
            yield from enumerate(records, 1)

    def _ask(
        self, method: str, path: str, body: object = None
    ) -> tuple[int, dict[str, Any], float]:
        """Return status, answer and seconds; ask again where the key's own rate says so."""
        headers = {"content-type": "application/json", "x-api-key": self._api.key}
        content = None if body is None else json.dumps(body).encode()
        deadline = time.monotonic() + TIMEOUT
        while True:
            began = time.perf_counter()
            try:
                answer = self._http.request(
                    method, self._api.url + path, body=content, headers=headers
                )
            except urllib3.exceptions.HTTPError as error:
                return 0, {"message": str(error)}, time.perf_counter() - began
            seconds = time.perf_counter() - began
            throttled = answer.headers.get("x-amzn-errortype") == THROTTLED
            if not throttled or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        if answer.status == 429 and not throttled:
            raise QuotaError(f"{self._api.url}: not tested, since the key's quota is used up")
        try:
            found = answer.json()
        except ValueError:
            found = {}
        return answer.status, found if isinstance(found, dict) else {}, seconds

    def _await_key(self) -> str:
        """Wait until the API knows its key: on AWS that takes some seconds."""

        def knows() -> str:
            status, answer, _ = self._ask("GET", "/schema")
            return "" if status == 200 else f"GET /schema answers {status} {answer}"

        return self._wait(READY, knows)

    def _judge(self, golden: GoldenRecord, status: int, answer: dict[str, Any]) -> str:
        """Return what is wrong with an answer."""
        if status != 200:
            return f"HTTP {status} {json.dumps(answer)[:300]}"
        if answer.get("model") != self._expected.model:
            return f"{answer.get('model')!r} answers, not {self._expected.model!r}"
        try:
            found = self._scores(answer)
        except (KeyError, TypeError, ValueError) as error:
            return f"the answer has no score: {error!r}"
        wanted = golden.score if isinstance(golden.score, list) else [golden.score]
        far = max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(found, wanted, strict=True))
        if not far <= TOLERANCE:
            return f"scores {found}, the artifact was sealed with {wanted}"
        return ""

    def _scores(self, answer: dict[str, Any]) -> list[float]:
        if self._expected.contract.objective == "multiclass":
            return [float(answer["scores"][name]) for name in self._expected.contract.classes or ()]
        return [float(answer["score"])]

    def _await_capture(self, uri: str, requests: Sequence[str], began: datetime) -> str:
        """Wait for one of the requests in what is captured."""
        bucket, prefix = split_uri(uri)
        s3 = self._target.client("s3")
        since = began - timedelta(minutes=1)  # S3 and this clock may differ a little

        def there() -> str:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            found = (item for page in pages for item in page.get("Contents", ()))
            for item in found:
                if item["LastModified"] >= since:
                    body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
                    if any(request.encode() in body for request in requests):
                        return ""
            return f"nothing captured below {uri} is of these requests"

        return self._wait(CAPTURED, there)

    def _wait(self, patience: dict[str, float], problem: Callable[[], str]) -> str:
        deadline = time.monotonic() + patience[self._target.name]
        while (said := problem()) and time.monotonic() < deadline:
            time.sleep(0.2 if self._target.name == "local" else 5)
        return said
