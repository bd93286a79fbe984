from __future__ import annotations

from pathlib import Path

from tests.conftest import start


def test_the_caller_is_the_one_user_of_the_account(tmp_path: Path) -> None:
    for platform in start(tmp_path, account="123456789012"):
        caller = platform.client("sts").get_caller_identity()
        assert caller["Account"] == "123456789012"
        assert caller["Arn"] == "arn:aws:iam::123456789012:user/boostline"
        assert caller["UserId"] == platform.platform.credentials.access_key
