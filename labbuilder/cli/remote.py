"""`labbuilder remote`: the Incus servers that are known."""

from __future__ import annotations

from typing import Annotated

import typer

from labbuilder.cli import output
from labbuilder.cli.shared import JsonOption, app, example, home

remote_app = typer.Typer(help="Incus servers: added by a trust token, or by their certificate.", no_args_is_help=True)
app.add_typer(remote_app, name="remote")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What you call the server.")]


@remote_app.command(
    "add", epilog=example("labbuilder remote add school --token TOKEN", "labbuilder remote add school incus1:8443")
)
def remote_add(
    name: NameArgument,
    address: Annotated[str | None, typer.Argument(help="HOST or HOST:PORT; a token brings its own.")] = None,
    token: Annotated[str | None, typer.Option(help="From `incus config trust add`, on the server.")] = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Trust the certificate that is shown.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remember a server, by the certificate that it shows now or that its token names."""
    from labbuilder.providers.incus.trust import add_remote  # noqa: PLC0415

    def trusts(fingerprint: str) -> bool:
        return yes or typer.confirm(f"The server shows the certificate {fingerprint}. Is it the right one?", err=True)

    found = add_remote(home(), name, address=address, token=token, trusts=trusts)
    output.print_json(found) if as_json else print(
        f"{name} is {found['url']}: labbuilder up --provider incus --remote {name}"
    )


@remote_app.command("list", epilog=example("labbuilder remote list"))
def remote_list(as_json: JsonOption = False) -> None:
    """List the servers that were added; this host's own is called local."""
    from labbuilder.providers.incus.remotes import as_dict, remotes  # noqa: PLC0415

    found = [as_dict(remote) for remote in remotes(home())]
    if as_json:
        output.print_json(found)
    else:
        print("\n".join(f"{r['name']}  {r['url']}  {r['fingerprint']}" for r in found) or "None was added.")


@remote_app.command("remove", epilog=example("labbuilder remote remove school"))
def remote_remove(name: NameArgument, as_json: JsonOption = False) -> None:
    """Forget a server; its labs stay."""
    from labbuilder.providers.incus.remotes import forget_remote  # noqa: PLC0415

    forget_remote(home(), name)
    output.print_json({"removed": name}) if as_json else print(f"{name} is forgotten.")
