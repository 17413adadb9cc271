"""The certificate that the server shows: sound when it starts, or it does not start; renewed without a restart."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from plimsoll_server.errors import StartError
from plimsoll_server.looking import keep_looking, read_regular

log = logging.getLogger(__name__)

CERTIFICATE_FILE, KEY_FILE = "tls.crt", "tls.key"
"""As a Secret of type kubernetes.io/tls has them."""


class CertificateError(StartError):
    """The certificate cannot be used. The message names the file and says what to do."""


@dataclass(frozen=True)
class _Loaded:
    """`content` is what the files held, to tell a renewal by; `expires` is the end of the chain's first to end."""

    context: ssl.SSLContext
    content: bytes
    expires: datetime


class Certificate:
    """`context` is for the listener, once and for all: each connection gets the newest certificate that was sound."""

    def __init__(self, directory: Path, tell_expiry: Callable[[float], None]) -> None:
        """Raises CertificateError. `tell_expiry` gets Unix seconds, now and with each renewal."""
        self._directory = directory
        self._tell_expiry = tell_expiry
        self._current = _load(directory)
        self._complaint = ""
        self.context = self._current.context
        # Called in every handshake, with or without a server name: a whole new context takes the old one's place,
        # so no connection ever meets a certificate without its key.
        self.context.sni_callback = self._show_current
        self._take_up(self._current)

    async def keep_renewed(self) -> None:
        """Look at the files now and then, until cancelled."""
        await keep_looking(self.renew, self._directory)

    def renew(self) -> None:
        """Take up what the files hold now. What cannot be used is said once, and the old one is kept."""
        try:
            if b"".join(map(_read, _files(self._directory))) != self._current.content:
                self._take_up(_load(self._directory))
            self._complaint = ""
        except CertificateError as error:
            if self._complaint != str(error):
                kept = _day(self._current.expires)
                log.error("the renewed certificate is refused, and the one that expires %s is kept: %s", kept, error)
            self._complaint = str(error)

    def _take_up(self, loaded: _Loaded) -> None:
        self._current = loaded
        self._tell_expiry(loaded.expires.timestamp())
        if loaded.expires <= datetime.now(UTC):
            log.warning("the certificate expired %s, and callers will refuse it: renew it", _day(loaded.expires))
        else:
            log.info("serving with the certificate that expires %s", _day(loaded.expires))

    def _show_current(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current.context


def _load(directory: Path) -> _Loaded:
    certificate, key = _files(directory)
    content = _read(certificate) + _read(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password it would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password="")
        expires = min(found.not_valid_after_utc for found in x509.load_pem_x509_certificates(_read(certificate)))
    except (ssl.SSLError, ValueError) as error:
        raise CertificateError(f"{directory}: {_explained(error)}") from error
    except OSError as error:
        # Read a moment ago: the kubelet has swapped the folder since.
        raise _unreadable(certificate.parent, error) from error
    return _Loaded(context, content, expires)


def _files(directory: Path) -> tuple[Path, Path]:
    """Certificate and key of one and the same generation: the kubelet swaps a link to the folder that holds both."""
    folder = (directory / CERTIFICATE_FILE).resolve().parent
    return folder / CERTIFICATE_FILE, folder / KEY_FILE


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> CertificateError:
    return CertificateError(
        f"{path} cannot be read ({error.strerror}): mount a Secret of type kubernetes.io/tls there, "
        f"with the keys {CERTIFICATE_FILE} and {KEY_FILE}"
    )


def _explained(error: Exception) -> str:
    reason = getattr(error, "reason", None) or str(error)
    if reason == "KEY_VALUES_MISMATCH":
        return f"{KEY_FILE} is not the key of the certificate in {CERTIFICATE_FILE}: write both of the same issue"
    return (
        f"expected in {CERTIFICATE_FILE} a certificate chain in PEM, the server's own first, and in {KEY_FILE} its "
        f"private key in PEM without a password; found something else ({reason})"
    )


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
