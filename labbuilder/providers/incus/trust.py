"""Getting to know an Incus server: it by its certificate, we by ours."""

from __future__ import annotations

from collections.abc import Callable

from labbuilder.errors import HostError, SpecError
from labbuilder.host.store import Home
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.remotes import (
    Remote,
    Token,
    as_dict,
    check_name,
    ensure_identity,
    fingerprint,
    keep_remote,
    shown_certificate,
    url_of,
)


def add_remote(
    home: Home, name: str, *, address: str | None, token: str | None, trusts: Callable[[str], bool]
) -> dict[str, str]:
    """Remember a server that shows the right certificate and trusts ours.

    Args:
        home: Where it is remembered.
        name: What it is called.
        address: Where it is; a token knows.
        token: One that the server made: it names the server's certificate, and lets ours in.
        trusts: Without a token: told the fingerprint of the certificate that is shown, is it the right one?

    Raises:
        SpecError: Neither address nor token; no token; the certificate is not the right one.
        HostError: Nobody answers there, or our certificate is not let in.
    """
    check_name(name)
    known = Token.parse(token) if token else None
    addresses = [address] if address else list(known.addresses if known else ())
    if not addresses:
        raise SpecError(brief="where is the server?", resolution="say its address, or --token TOKEN")
    remote = Remote(name, *_found(addresses, known, trusts), identity=ensure_identity(home))
    api = Api(remote)
    if api.get("/1.0")["auth"] != "trusted" and known is not None:
        api.change("POST", "/1.0/certificates", {"type": "client", "trust_token": known.text})
    if api.get("/1.0")["auth"] != "trusted":
        raise HostError(
            brief=f"the Incus at {remote.url} does not know us",
            details=f"Our certificate: {ensure_identity(home) / 'client.crt'}",
            resolution="there, incus config trust add NAME prints a token; labbuilder remote add NAME --token TOKEN",
        )
    keep_remote(home, remote)
    return as_dict(remote)


def _found(addresses: list[str], token: Token | None, trusts: Callable[[str], bool]) -> tuple[str, None, str]:
    """URL and certificate of the first address that answers."""
    silent: HostError | None = None
    for address in addresses:
        url = url_of(address)
        try:
            shown = shown_certificate(url)
        except HostError as error:
            silent = error
            continue
        if token is None and not trusts(fingerprint(shown)):
            raise SpecError(brief="the certificate was not trusted: nothing was added")
        if token is not None and fingerprint(shown) != token.fingerprint:
            raise SpecError(
                brief=f"{url} is not the server that made the token",
                details=f"It shows {fingerprint(shown)}, the token names {token.fingerprint}.",
                resolution="somebody may be in between: don't go on before you know who",
            )
        return url, None, shown
    assert silent is not None  # noqa: S101  there is at least one address
    raise silent
