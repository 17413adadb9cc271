"""Texts that take far more memory than their characters tell: the tokenizers library ends the process when it gets
none."""

from __future__ import annotations

from pathlib import Path

import httpx
from tokenizers import normalizers

from server_builders import byte_tokenizer, random_model, save_tokenizer, server_config
from server_process import environment, process

MEBIBYTE = 1 << 20
LIMIT = 800 * MEBIBYTE
"""A bare server takes half of it."""


def test_no_text_ends_a_process_in_little_memory_however_much_its_form_grows(tmp_path: Path) -> None:
    """NFKC makes eleven times as many bytes of U+FDFA and three times as many of U+1D160; an emoji is four as it is."""
    folder = random_model(tmp_path, num_hidden_layers=1)
    tokenizer = byte_tokenizer()
    tokenizer.normalizer = normalizers.NFKC()
    save_tokenizer(tokenizer, folder)
    variables = environment(
        server_config(folder, longInput={"policy": "Reject"}), PLIMSOLL_MEMORY_LIMIT_BYTES=str(LIMIT)
    )
    with process(tmp_path, variables) as server:
        server.until_ready()
        threads = Path(f"/proc/{server.process.pid}/task")
        before = len([*threads.iterdir()])
        for character, size in (("\ufdfa", 3), ("\U0001d160", 4), ("\U0001f9ff", 4)):
            for length in (200_000, 400_000):
                text = character * (length // size)
                refused = httpx.post(f"{server.url}/predict", json={"inputs": text}, timeout=120)
                told = refused.status_code, refused.json()["error_type"]
                assert told in ((413, "Validation"), (429, "Overloaded")), refused.text
        assert httpx.post(f"{server.url}/predict", json={"inputs": "\ufdfa \U0001d160"}, timeout=60).status_code == 200
        assert server.process.poll() is None
        assert len([*threads.iterdir()]) == before, "the library starts none, whose stacks would take the texts' memory"
