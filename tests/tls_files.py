"""Certificates as a certificate manager would issue them, in the files of a kubernetes.io/tls Secret."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Issued:
    """One certificate and its key, PEM."""

    certificate: bytes
    key: bytes
    serial: int
    expires: datetime.datetime

    @property
    def files(self) -> dict[str, bytes]:
        return {"tls.crt": self.certificate, "tls.key": self.key}


@dataclass(frozen=True)
class Issuer:
    """An authority of the test's own."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def trust(self) -> ssl.SSLContext:
        """A client that trusts this authority and no other."""
        name = _named("authority")
        extension = x509.BasicConstraints(ca=True, path_length=None)
        root = _unsigned(name, self.key.public_key(), datetime.timedelta(days=30)).add_extension(
            extension, critical=True
        )
        pem = root.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        context = ssl.create_default_context(cadata=pem.decode())
        # What Python demands by default since 3.13 is beside the point of these tests.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def issue(
        self, *hosts: str, lifetime: datetime.timedelta = datetime.timedelta(days=7), password: str = ""
    ) -> Issued:
        """A certificate for `hosts` (names or addresses) that began an hour ago and ends in `lifetime` from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _unsigned(_named(hosts[0]), key.public_key(), lifetime)
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        signed = builder.add_extension(names, critical=False).sign(self.key, hashes.SHA256())
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password:
            encryption = serialization.BestAvailableEncryption(password.encode())
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        return Issued(
            signed.public_bytes(serialization.Encoding.PEM), pem, signed.serial_number, signed.not_valid_after_utc
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _unsigned(name: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: datetime.timedelta) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(_named("authority"))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + lifetime)
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
