"""The light server, failing in the way that its model family names: `crashes`, `silent` or `hungry`."""

from __future__ import annotations

import json
import os
import sys

from light_server import Answer, serve
from plimsoll_server.pack_record import PackRecord

MORE_THAN_ANY_LIMIT = 1 << 30


class Silent(Answer):
    """Alive, with its weights loaded, and never ready."""

    def do_GET(self) -> None:  # noqa: N802  the name that http.server gives it
        if self.path == "/readyz":
            self.send_error(503)
        else:
            super().do_GET()


def crash() -> None:
    sys.exit("no config.json in the model's folder")


def eat() -> None:
    """Runs a pack that takes more than there is, noted as the server notes it."""
    with PackRecord(os.environ["PLIMSOLL_TERMINATION_LOG"]).running("short", 2048, 4):
        bytearray(MORE_THAN_ANY_LIMIT)[:] = os.urandom(1) * MORE_THAN_ANY_LIMIT


if __name__ == "__main__":
    family = json.loads(os.environ["PLIMSOLL_CONFIG"])["model"]["family"]
    {"crashes": crash, "silent": lambda: serve(Silent), "hungry": eat}[family]()
