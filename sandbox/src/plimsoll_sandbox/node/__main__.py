"""Run as `python -m plimsoll_sandbox.node FOLDER CERTIFICATE KEY` by the supervisor."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from plimsoll_sandbox.certificates import KeyPair
from plimsoll_sandbox.config import Config
from plimsoll_sandbox.layout import Layout
from plimsoll_sandbox.node.agent import run_agent


def main() -> None:
    folder, certificate, key = map(Path, sys.argv[1:])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run_agent(Config.load(Layout(folder)), KeyPair(certificate, key)))


main()
