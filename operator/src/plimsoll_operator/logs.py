"""Log lines: one JSON object each, or text for people. kopf's go through the same formatter."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal, TextIO


class JsonFormatter(logging.Formatter):
    """`time`, `level`, `logger`, `message`; `object` and `reason` where the line is about an object."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= about(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        context = " ".join(about(record).values())
        return f"{super().format(record)}{f'  [{context}]' if context else ''}"


def about(record: logging.LogRecord) -> dict[str, str]:
    """What the line is about: our own lines say it by `extra`, kopf's by a reference to the object."""
    fields = {name: getattr(record, name) for name in ("object", "reason") if hasattr(record, name)}
    reference = getattr(record, "k8s_ref", None)
    if reference:
        fields["object"] = f"{reference.get('namespace')}/{reference.get('name')}"
    return fields


def configure_logs(form: Literal["json", "text"], stream: TextIO = sys.stderr) -> None:
    """Send everything of level INFO and above to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # kopf tells of every watch event that its handler succeeded, and ours only enqueue a key.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
