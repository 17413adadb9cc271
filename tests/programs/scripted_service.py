"""A service that answers so many texts and is then killed as if for memory, or that takes no short ones.

`scripted_service.py PORT ANSWERS LEAST_WORDS`
"""

from __future__ import annotations

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers_left = int(sys.argv[2])
    least_words = int(sys.argv[3])

    def do_GET(self) -> None:
        self._answer(200, {})

    def do_POST(self) -> None:
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
        if not Service.answers_left:
            os.kill(os.getpid(), signal.SIGKILL)
        Service.answers_left -= 1
        enough = len(text.split()) >= self.least_words
        self._answer(200 if enough else 413, [{"label": "sea", "score": 1.0}])

    def log_message(self, *_: object) -> None: ...

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Service).serve_forever()
