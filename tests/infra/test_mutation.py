"""A sample of the mutants; `make mutation` runs them all."""

from __future__ import annotations

import pytest

from tests.infra import mutation

pytestmark = pytest.mark.slow
COUNT, SEED = 300, 5


def test_the_checks_kill_a_sample() -> None:
    alive = mutation.survivors(mutation.sample(COUNT, SEED))
    assert {str(mutant) for mutant in alive} <= mutation.harmless().keys()


def test_what_is_known_to_live_is_few_and_there() -> None:
    every = {str(mutant) for mutant in mutation.everything()}
    known = mutation.harmless()
    assert known.keys() <= every
    assert len(known) <= 0.05 * len(every)
    assert all(reason for reason in known.values())
