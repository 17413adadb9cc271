"""What the server notes of a pack before it runs is what the operator reads once the kernel has ended it."""

from __future__ import annotations

from pathlib import Path

from plimsoll_operator.cluster.parse import parse_pack
from plimsoll_operator.observed import Pack
from plimsoll_server.pack_record import PackRecord


def test_the_operator_reads_what_the_server_noted(tmp_path: Path) -> None:
    file = tmp_path / "termination-log"
    file.touch()
    with PackRecord(str(file)).running("up-to-32k", 131072, 4):
        assert parse_pack(file.read_text()) == Pack("up-to-32k", 131072, 4)
    assert parse_pack(file.read_text()) is None
