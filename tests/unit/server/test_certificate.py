"""The certificate that callers are shown: sound at the start, renewed under way, and never half of two."""

from __future__ import annotations

import logging
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from plimsoll_sandbox.node.published import Content, PublishedFolder
from plimsoll_server.certificate import Certificate, CertificateError
from tls_files import Issued, Issuer

ISSUER = Issuer()


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)


def shown(certificate: Certificate) -> int:
    """Serial number of what a caller gets in a handshake."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ISSUER.trust.wrap_bio(to_client, to_server, server_hostname="domains")
    server = certificate.context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert waiting == []
    presented = client.getpeercert(binary_form=True)
    assert presented is not None
    return x509.load_der_x509_certificate(presented).serial_number


@pytest.fixture
def issued(tmp_path: Path) -> Issued:
    issued = ISSUER.issue("domains")
    write(tmp_path, issued.files)
    return issued


@pytest.fixture
def expiries() -> list[float]:
    return []


@pytest.fixture
def certificate(tmp_path: Path, issued: Issued, expiries: list[float]) -> Certificate:
    return Certificate(tmp_path, expiries.append)


OTHER = ISSUER.issue("other")
BROKEN = [
    pytest.param({"tls.crt": None}, "tls.crt cannot be read", id="no certificate"),
    pytest.param({"tls.key": None}, "tls.key cannot be read", id="no key"),
    pytest.param({"tls.key": OTHER.key}, "is not the key of the certificate in tls.crt", id="another's key"),
    pytest.param({"tls.crt": b""}, "a certificate chain in PEM", id="an empty certificate"),
    pytest.param({"tls.crt": b"certificate"}, "a certificate chain in PEM", id="not PEM"),
    pytest.param({"tls.key": OTHER.certificate}, "private key in PEM without a password", id="a certificate for a key"),
    pytest.param(
        ISSUER.issue("domains", password="secret").files, "private key in PEM without a password", id="a locked key"
    ),
]


@pytest.mark.parametrize(("files", "says"), BROKEN)
def test_a_server_does_not_start_without_a_sound_certificate(
    tmp_path: Path, issued: Issued, files: dict[str, bytes | None], says: str
) -> None:
    for name, data in files.items():
        (tmp_path / name).unlink() if data is None else (tmp_path / name).write_bytes(data)
    with pytest.raises(CertificateError, match=says):
        Certificate(tmp_path, lambda _: None)


def test_callers_get_the_certificate_and_its_end_is_told(
    certificate: Certificate, issued: Issued, expiries: list[float]
) -> None:
    assert shown(certificate) == issued.serial
    assert expiries == [issued.expires.timestamp()]


def test_nothing_older_than_tls_1_2_is_spoken(certificate: Certificate) -> None:
    assert certificate.context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_renewed_certificate_is_shown_to_the_next_caller(
    tmp_path: Path, certificate: Certificate, expiries: list[float]
) -> None:
    renewed = ISSUER.issue("domains", lifetime=timedelta(days=90))
    write(tmp_path, renewed.files)
    certificate.renew()
    assert shown(certificate) == renewed.serial
    assert expiries[-1] == renewed.expires.timestamp()
    certificate.renew()
    assert len(expiries) == 2, "what has not changed is not taken up again"


@pytest.mark.parametrize(("files", "says"), BROKEN)
def test_a_broken_renewal_keeps_the_old_one_says_so_once_and_the_next_sound_one_is_taken(
    tmp_path: Path,
    certificate: Certificate,
    issued: Issued,
    caplog: pytest.LogCaptureFixture,
    files: dict[str, bytes | None],
    says: str,
) -> None:
    for name, data in files.items():
        (tmp_path / name).unlink() if data is None else (tmp_path / name).write_bytes(data)
    with caplog.at_level(logging.ERROR):
        certificate.renew()
        certificate.renew()
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert says in record.getMessage()
    assert f"the one that expires {issued.expires:%Y-%m-%d}" in record.getMessage()
    assert shown(certificate) == issued.serial
    renewed = ISSUER.issue("domains")
    write(tmp_path, renewed.files)
    certificate.renew()
    assert shown(certificate) == renewed.serial


def test_one_that_has_expired_is_served_with_a_warning_rather_than_not_at_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, ISSUER.issue("domains", lifetime=-timedelta(days=1)).files)
    Certificate(tmp_path, lambda _: None)
    assert "expired" in caplog.text
    assert "renew it" in caplog.text


def test_the_folder_is_read_as_the_kubelet_writes_it(tmp_path: Path) -> None:
    """It swaps a link to a folder with both files; a renewal must not read one from each."""
    published = PublishedFolder(tmp_path / "tls")
    first, second = ISSUER.issue("domains"), ISSUER.issue("domains")
    published.publish({name: Content(data, 0o440) for name, data in first.files.items()})
    certificate = Certificate(tmp_path / "tls", lambda _: None)
    assert shown(certificate) == first.serial
    published.publish({name: Content(data, 0o440) for name, data in second.files.items()})
    certificate.renew()
    assert shown(certificate) == second.serial


def test_a_folder_that_goes_while_it_is_loaded_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kubelet removes the old folder as soon as the new one is linked."""
    published = PublishedFolder(tmp_path / "tls")
    first, second, third = (ISSUER.issue("domains").files for _ in range(3))
    published.publish({name: Content(data, 0o440) for name, data in first.items()})
    certificate = Certificate(tmp_path / "tls", lambda _: None)
    published.publish({name: Content(data, 0o440) for name, data in second.items()})
    load = ssl.SSLContext.load_cert_chain

    def too_late(context: ssl.SSLContext, certificate: Path, key: Path, password: str) -> None:
        monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", load)
        published.publish({name: Content(data, 0o440) for name, data in third.items()})
        context.load_cert_chain(certificate, key, password=password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", too_late)
    certificate.renew()
    assert shown(certificate) == serial(first)
    certificate.renew()
    assert shown(certificate) == serial(third)


def serial(files: dict[str, bytes]) -> int:
    return x509.load_pem_x509_certificate(files["tls.crt"]).serial_number
