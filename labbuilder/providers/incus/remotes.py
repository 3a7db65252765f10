"""The Incus servers that labbuilder knows, and how it knows that they are the right ones.

HOME/incus/client.crt, client.key   who we are, to every server
HOME/incus/NAME.json                a server: its address and the certificate that it must show
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from labbuilder.errors import HostError, SpecError
from labbuilder.host.store import Home, write_atomic

LOCAL = "local"
PORT = 8443
_SOCKETS = (Path("/var/lib/incus/unix.socket"), Path("/run/incus/unix.socket"))
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_CONNECT_S = 10.0
_VALID = timedelta(days=3650)


@dataclass(frozen=True)
class Remote:
    """A server.

    Attributes:
        name: As the user calls it.
        url: Where its API is.
        socket: Its UNIX socket, when it is this host's own.
        certificate: The PEM text that it must show.
        identity: The folder with our own certificate and key.
    """

    name: str
    url: str
    socket: Path | None = None
    certificate: str = ""
    identity: Path | None = None

    @property
    def shown(self) -> str:
        """Where it is, for people."""
        return str(self.socket or self.url)

    def tls(self) -> ssl.SSLContext:
        """A TLS that trusts this one certificate, whatever name it bears, and shows our own."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # the certificate itself is pinned
        context.load_verify_locations(cadata=self.certificate)
        assert self.identity is not None  # noqa: S101  a remote over HTTPS has one
        context.load_cert_chain(self.identity / "client.crt", self.identity / "client.key")
        return context


@dataclass(frozen=True)
class Token:
    """What ``incus config trust add`` prints: base64 of JSON.

    Attributes:
        text: As it was given.
        fingerprint: SHA-256 of the certificate of the server that made it.
        addresses: Where that server is, HOST:PORT.
    """

    text: str
    fingerprint: str
    addresses: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Token:
        """Read a token.

        Raises:
            SpecError: It is none.
        """
        try:
            values = json.loads(base64.b64decode(text.strip(), validate=True))
            return cls(text.strip(), values["fingerprint"], tuple(values["addresses"]))
        except (binascii.Error, ValueError, KeyError, TypeError) as error:
            raise SpecError(
                brief="that is no trust token", resolution="incus config trust add NAME prints one, on the server"
            ) from error


def folder(home: Home) -> Path:
    """Where remotes are kept."""
    return home.path / "incus"


def find_remote(home: Home, name: str) -> Remote:
    """The server of that name: ``local``, the path of a UNIX socket, or one that was added.

    Raises:
        SpecError: There is none.
    """
    if name == LOCAL:
        named = os.environ.get("INCUS_SOCKET")
        places = (Path(named),) if named else _SOCKETS
        return Remote(name, "http://incus", next((p for p in places if p.exists()), places[0]))
    if name.startswith("/"):
        return Remote(name, "http://incus", Path(name))
    path = folder(home) / f"{name}.json"
    if not path.exists():
        known = ", ".join((LOCAL, *(remote.name for remote in remotes(home))))
        raise SpecError(
            brief=f"there is no Incus server named {name}",
            details=f"There are: {known}",
            resolution="labbuilder remote add NAME adds one",
        )
    return _load(path)


def _load(path: Path) -> Remote:
    values: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return Remote(path.stem, values["url"], None, values["certificate"], path.parent)


def remotes(home: Home) -> tuple[Remote, ...]:
    """The servers that were added."""
    return tuple(_load(path) for path in sorted(folder(home).glob("*.json")))


def keep_remote(home: Home, remote: Remote) -> None:
    """Remember a server."""
    write_atomic(
        folder(home) / f"{remote.name}.json", json.dumps({"url": remote.url, "certificate": remote.certificate})
    )


def check_name(name: str) -> None:
    """Raise for a name that can't be a remote's.

    Raises:
        SpecError: It is no name, or taken by this host's own Incus.
    """
    if name == LOCAL or not _NAME.fullmatch(name):
        raise SpecError(
            brief=f"{name!r} can't be a server's name",
            resolution="use letters, digits, - and _; local is this host's own",
        )


def as_dict(remote: Remote) -> dict[str, str]:
    """What is told of a server that was added."""
    return {"name": remote.name, "url": remote.url, "fingerprint": fingerprint(remote.certificate)}


def forget_remote(home: Home, name: str) -> None:
    """Forget a server that was added."""
    find_remote(home, name)
    (folder(home) / f"{name}.json").unlink(missing_ok=True)


def url_of(address: str) -> str:
    """The URL of an address as people write it: HOST, HOST:PORT or https://HOST:PORT."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    host = parts.hostname or address
    return f"https://{f'[{host}]' if ':' in host else host}:{parts.port or PORT}"


def shown_certificate(url: str) -> str:
    """The certificate that a server shows now, as PEM; nothing is trusted by it.

    Raises:
        HostError: Nobody answers there, or not with TLS.
    """
    parts = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is only looked at
    try:
        with (
            socket.create_connection((parts.hostname or "", parts.port or PORT), timeout=_CONNECT_S) as bare,
            context.wrap_socket(bare) as secured,
        ):
            shown = secured.getpeercert(binary_form=True)
    except OSError as error:
        raise HostError(
            brief=f"no Incus answers at {url}",
            details=f"{type(error).__name__}: {error}",
            resolution="on the server: incus config set core.https_address :8443",
        ) from error
    assert shown is not None  # noqa: S101  a TLS server always shows one
    return ssl.DER_cert_to_PEM_cert(shown)


def fingerprint(certificate: str) -> str:
    """SHA-256 of a certificate, as Incus shows it."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


def ensure_identity(home: Home) -> Path:
    """Our own certificate, self-signed, and its key; the folder they lie in."""
    place = folder(home)
    if not (place / "client.crt").exists():
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        key, certificate = _self_signed(f"labbuilder@{socket.gethostname()}")
        write_atomic(place / "client.key", key, mode=0o600)
        write_atomic(place / "client.crt", certificate)
    return place


def _self_signed(name: str) -> tuple[str, str]:
    from cryptography import x509  # noqa: PLC0415  only who adds a server pays
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP384R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    signed = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + _VALID).sign(key, hashes.SHA384())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), signed.public_bytes(serialization.Encoding.PEM).decode()
