from pathlib import Path

import numpy as np
import pytest

from boostline.container import spill
from boostline.container.spill import Spill

ROWS = 1000
GENERATOR = np.random.default_rng(0)
HASHES = GENERATOR.integers(0, 2**64, ROWS, dtype=np.uint64)
PLACES = GENERATOR.integers(0, 3, ROWS)
VALUES = np.arange(ROWS, dtype=np.uint64)


@pytest.mark.parametrize("bits", [0, 1, 5])
@pytest.mark.parametrize("chunk", [7, 10_000])
def test_rows_come_back_in_the_order_of_their_hashes(
    tmp_path: Path, bits: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "CHUNK", chunk)
    rows = Spill(tmp_path, 2, bits)
    for part in np.array_split(GENERATOR.permutation(ROWS), 3):
        rows.add([VALUES[part], HASHES[part]], HASHES[part], PLACES[part])
    for split in range(3):
        chunks = list(rows.chunks(split))
        inside = np.flatnonzero(np.equal(PLACES, split))
        expected = VALUES[inside][np.argsort(HASHES[inside])]
        assert np.concatenate(chunks)[:, 0].tolist() == expected.tolist()
        assert {len(found) for found in chunks[:-1]} <= {chunk}
    assert rows.counts.tolist() == np.bincount(PLACES).tolist()


def test_nothing_comes_back_of_nothing(tmp_path: Path) -> None:
    assert list(Spill(tmp_path, 2, 3).chunks(1)) == []
