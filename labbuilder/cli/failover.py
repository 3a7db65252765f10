"""Commands of a failover pair's operator: failover status, takeover, giveback, partner-down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from labbuilder.cli import output
from labbuilder.cli.shared import JsonOption, LabOption, NodeArgument, app, example, existing, reporting

if TYPE_CHECKING:
    from labbuilder.failover.operator import PeerStatus

failover = typer.Typer(help="What the operator of a failover pair sees and says.", no_args_is_help=True)
app.add_typer(failover, name="failover")
ForceOption = Annotated[bool, typer.Option("--force", help="Even while the partner still answers.")]


@failover.command(epilog=example("labbuilder failover status"))
def status(lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Show both servers: role, state, what each knows of its partner, who serves."""
    from labbuilder.failover.operator import status  # noqa: PLC0415

    with reporting(), existing(lab).session() as session:
        peers = status(session)
    _show(peers, as_json=as_json)


@failover.command(
    epilog=example("labbuilder failover takeover server2", "labbuilder failover takeover server2 --force")
)
def takeover(
    node: NodeArgument, lab: LabOption = None, force: ForceOption = False, as_json: JsonOption = False
) -> None:
    """Manual mode: let the second server serve."""
    from labbuilder.failover.operator import takeover  # noqa: PLC0415

    with reporting(), existing(lab).locked_session() as session:
        peer = takeover(session, node, force=force)
    _show([peer], as_json=as_json)


@failover.command(epilog=example("labbuilder failover giveback"))
def giveback(lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Manual mode: let the primary serve again, with the leases that were given meanwhile."""
    from labbuilder.failover.operator import giveback  # noqa: PLC0415

    with reporting(), existing(lab).locked_session() as session:
        peer = giveback(session)
    _show([peer], as_json=as_json)


@failover.command("partner-down", epilog=example("labbuilder failover partner-down server2"))
def partner_down(
    node: NodeArgument, lab: LabOption = None, force: ForceOption = False, as_json: JsonOption = False
) -> None:
    """Automatic modes: tell a server that its partner is gone for good."""
    from labbuilder.failover.operator import partner_down  # noqa: PLC0415

    with reporting(), existing(lab).locked_session() as session:
        peer = partner_down(session, node, force=force)
    _show([peer], as_json=as_json)


@failover.command(epilog=example("labbuilder failover share", "labbuilder failover share --clients 50"))
def share(
    lab: LabOption = None,
    clients: Annotated[int, typer.Option(min=1, max=400, help="So many clients ask once.")] = 200,
    seed: Annotated[int, typer.Option(help="Of their MACs.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Measure how many new clients each server answers, with the interval of 95 %."""
    from labbuilder.drill.share import shares  # noqa: PLC0415
    from labbuilder.report.figures import share as interval  # noqa: PLC0415

    with reporting(), existing(lab).locked_session() as session:
        found = shares(session, clients=clients, seed=seed)
    served = sum(found.answers.values())
    parts = {server: interval(count, served) for server, count in found.answers.items() if served}
    if as_json:
        output.print_json({"asked": found.asked, "served": served, "servers": {s: asdict(p) for s, p in parts.items()}})
    else:
        rows = [(s, str(p.answers), f"{p.value:.1%}", f"{p.low:.1%} to {p.high:.1%}") for s, p in parts.items()]
        print(output.table(("server", "answers", "share", "95 % interval"), rows))
        print(f"{served} of {found.asked} clients were served.")
    raise typer.Exit(0 if served == found.asked else 1)


def _show(peers: Sequence[PeerStatus], *, as_json: bool) -> None:
    if as_json:
        output.print_json([asdict(peer) for peer in peers])
        return
    rows = [(p.machine, p.role, p.state, p.partner or "-", "yes" if p.serving else "no") for p in peers]
    print(output.table(("machine", "role", "state", "partner", "serves"), rows))
