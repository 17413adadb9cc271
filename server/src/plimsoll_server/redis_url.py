"""The address of a Redis, as a file holds it."""

from __future__ import annotations

from urllib.parse import urlsplit

_SCHEMES = ("redis", "rediss")
_WANTED = "write one line, redis://:PASSWORD@HOST:6379/0, or rediss:// for TLS"


def parse_redis_url(content: bytes) -> str:
    """Raises ValueError, which says what to write and quotes nothing: the address has a password in it."""
    try:
        url = content.decode().strip()
        parts = urlsplit(url)
        usable = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(f"expected the address of a Redis, found something else: {_WANTED}") from None
    if not usable or len(url.split()) != 1:
        raise ValueError(f"expected the address of a Redis, found something else: {_WANTED}")
    return url
