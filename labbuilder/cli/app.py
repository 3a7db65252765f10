"""The command `labbuilder`."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labbuilder import __version__
from labbuilder.cli import linting, output
from labbuilder.errors import HostError, LabError, SpecError

if TYPE_CHECKING:
    from labbuilder.lab import Lab
    from labbuilder.store import Home

app = typer.Typer(
    help="Build a lab of real Debian machines with DHCP failover, DNS and NAT, and prove it line by line.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
image_app = typer.Typer(help="The images that machines share.", no_args_is_help=True)
app.add_typer(image_app, name="image")
snapshot_app = typer.Typer(help="States of a whole lab: kept, and gone back to.", no_args_is_help=True)
app.add_typer(snapshot_app, name="snapshot")


def _home() -> Home:
    from labbuilder.store import Home  # noqa: PLC0415  --help needs no store

    return Home.default()


def _lab_names() -> list[str]:
    return list(_home().lab_names())


def _machine_names(context: typer.Context) -> list[str]:
    try:
        return [machine.name for machine in _existing(context.params.get("lab")).plan().machines]
    except LabError:  # no lab, or which is not said: nothing to complete
        return []


NodeArgument = Annotated[str, typer.Argument(help="A machine of the lab.", autocompletion=_machine_names)]
LabOption = Annotated[str | None, typer.Option("--lab", help="The lab's name.", autocompletion=_lab_names)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
FileArgument = Annotated[Path | None, typer.Argument(help="A spec; said nothing, ./lab.yaml, else the guide's lab.")]
_settings = {"json": False, "verbose": False}


def _example(*commands: str) -> str:
    return "Examples:  " + "  |  ".join(commands)


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show the commands that are run.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"labbuilder {__version__}")
        raise typer.Exit
    _settings["verbose"] = verbose
    if verbose:
        logging.basicConfig(level=logging.DEBUG, format="%(message)s", stream=sys.stderr)
        logging.getLogger("paramiko").setLevel(logging.WARNING)


@contextmanager
def _reporting(*, as_json: bool, lab: str | None = None) -> Iterator[None]:
    _settings["json"] = as_json
    try:
        with output.progress_on_stderr(verbose=_settings["verbose"]):
            yield
    except KeyboardInterrupt:
        print("\ninterrupted.", *_what_exists(lab), sep="\n", file=sys.stderr, flush=True)
        os._exit(130)  # threads may still wait for machines


def _what_exists(name: str | None) -> list[str]:
    """What an interrupted command leaves, looked up, and how to go on."""
    from labbuilder.engine import begun  # noqa: PLC0415

    return [
        line
        for lab in ([name] if name else _home().lab_names())
        for line in (
            *(f"  {lab}: {what}" for what in begun(_home(), lab)),
            f"labbuilder up goes on from here; labbuilder down --lab {lab} removes it.",
        )
    ]


def _described(file: Path | None) -> Lab:
    """The lab of the file, of ./lab.yaml, or the guide's."""
    from labbuilder.lab import Lab  # noqa: PLC0415  --help needs no lab

    if file is None and Path("lab.yaml").exists():
        file = Path("lab.yaml")
    return Lab.from_file(file) if file else Lab().add_server().add_server().add_client()


def _existing(name: str | None) -> Lab:
    """The lab that is meant: --lab, else ./lab.yaml's, else the only one there is."""
    from labbuilder.lab import Lab  # noqa: PLC0415
    from labbuilder.session import no_such_lab  # noqa: PLC0415
    from labbuilder.spec.load import load_spec  # noqa: PLC0415

    home = _home()
    names = home.lab_names()
    if name is None and Path("lab.yaml").exists():
        name = load_spec(Path("lab.yaml")).name
    if name is None:
        if len(names) != 1:
            there = f"There are: {', '.join(names)}" if names else "There are none."
            raise SpecError(brief="which lab?", details=there, resolution="name it with --lab, or run labbuilder up")
        name = names[0]
    if name not in names or not home.lab(name).spec.exists():
        raise no_such_lab(home, name)
    return Lab.from_file(home.lab(name).spec)


@app.command(epilog=_example("labbuilder up", "labbuilder up lab.yaml", "labbuilder up --name b --clients 5"))
def up(
    file: FileArgument = None,
    name: Annotated[str | None, typer.Option(help="Another name for the lab.")] = None,
    provider: Annotated[str | None, typer.Option(help="auto, nspawn or virtualbox.")] = None,
    clients: Annotated[int | None, typer.Option(help="So many clients.")] = None,
    servers: Annotated[int | None, typer.Option(help="One server, or two.")] = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Don't prove it at the end.")] = False,
    reconfigure: Annotated[bool, typer.Option("--reconfigure", help="Change a lab made from another spec.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the lab up, or on from wherever it is, and prove it."""
    begun = time.monotonic()
    _settings["json"] = as_json
    lab = _described(file)
    flags: dict[str, Any] = {"name": name, "provider": provider, "clients": clients, "servers": servers}
    lab.set(**{key: value for key, value in flags.items() if value is not None})
    with _reporting(as_json=as_json, lab=lab.name):
        lab.up(verify=not no_verify, reconfigure=reconfigure)
    outcome = lab.outcome
    assert outcome is not None  # noqa: S101
    if as_json:
        output.print_json({"lab": lab.name, "unchanged": outcome.unchanged, **asdict(outcome)})
        return
    proven = "not verified" if no_verify else "proven"
    said = "nothing changed" if outcome.unchanged else f"{len(outcome.changes)} services configured"
    print(f"The lab {lab.name} is up and {proven}: {said}, {time.monotonic() - begun:.2f} s.")
    print("Look around:  labbuilder status | labbuilder ssh client1 | labbuilder verify | labbuilder down")


@app.command(epilog=_example("labbuilder status", "labbuilder status --lab aula --json"))
def status(lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Show the machines of a lab."""
    _settings["json"] = as_json
    found = _existing(lab)
    machines = found.status()
    if as_json:
        output.print_json({"lab": found.name, "machines": [asdict(machine) for machine in machines]})
        return
    plan = found.plan()
    rows = [
        (
            m.name,
            m.state.value,
            str(m.boots),
            " ".join(f"{n.name}={n.address or 'dhcp'}" for n in plan.machine(m.name).nics),
        )
        for m in machines
    ]
    print(output.table(("machine", "state", "boots", "addresses"), rows))


@app.command(epilog=_example("labbuilder verify", "labbuilder verify --reboot", "labbuilder verify --all --json"))
def verify(
    lab: LabOption = None,
    reboot: Annotated[bool, typer.Option("--reboot", help="And again after a reboot of each server.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Show the checks that passed too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove the lab: one check for each line of the guide."""
    with _reporting(as_json=as_json):
        found = _existing(lab).verify(reboot=reboot)
    if as_json:
        output.print_json({**asdict(found), "passed": found.passed})
    else:
        print(output.verification_text(found, every=every))
    raise typer.Exit(0 if found.passed else 1)


@app.command(epilog=_example("labbuilder plan", "labbuilder plan lab.yaml --json"))
def plan(file: FileArgument = None, as_json: JsonOption = False) -> None:
    """Show what `up` would do, against what runs."""
    _settings["json"] = as_json
    found = _described(file).difference()
    if as_json:
        output.print_json(asdict(found))
        return
    for word in ("create", "start", "remove", "services"):
        for item in getattr(found, word):
            print(f"{'apply' if word == 'services' else word:7} {item}")
    for entry in found.files:
        print(f"write   {entry.machine}: {entry.path}\n{entry.diff}", end="")
    if found.empty:
        print("Nothing would change.")


@app.command(epilog=_example("labbuilder render out/", "labbuilder render out/ lab.yaml"))
def render(folder: Path, file: FileArgument = None, as_json: JsonOption = False) -> None:
    """Write all files of all machines, for who configures by hand."""
    _settings["json"] = as_json
    if folder.exists() and any(folder.iterdir()):
        raise SpecError(brief=f"{folder} is not empty", resolution="name a new or empty folder")
    output.print_paths(_described(file).render(folder), as_json=as_json)


@app.command(epilog=_example("labbuilder lint one/dhcpd.conf two/dhcpd.conf", "labbuilder lint a.json b.json --strict"))
def lint(
    files: Annotated[tuple[Path, Path], typer.Argument(metavar="FILE FILE", help="Each peer's dhcpd.conf or Kea's.")],
    clients: Annotated[int | None, typer.Option(min=0, help="So many clients are expected.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors do.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong between two failover configurations, also ones written by hand; no lab is needed."""
    _settings["json"] = as_json
    raise typer.Exit(linting.run(*files, clients=clients, strict=strict, as_json=as_json))


@app.command(epilog=_example("labbuilder schema > lab.schema.json"))
def schema() -> None:
    """Print the JSON Schema of a spec file."""
    from labbuilder.spec.load import json_schema  # noqa: PLC0415

    output.print_json(json_schema())


@app.command(epilog=_example("labbuilder init", "labbuilder init class.yaml"))
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("lab.yaml"), as_json: JsonOption = False
) -> None:
    """Write a spec to start from; an existing file is never overwritten."""
    from labbuilder.assets import PROVISION  # noqa: PLC0415

    _settings["json"] = as_json
    try:
        with open(file, "x", encoding="utf-8") as target:
            target.write((PROVISION / "lab.yaml").read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(brief=f"{file} can't be written: {error.strerror}", resolution="name another file") from error
    if as_json:
        output.print_paths([file], as_json=True)
    else:
        print(f"Wrote {file}. Next: labbuilder up {file}")


@app.command(epilog=_example("labbuilder ssh server1", "labbuilder ssh client1 -- ip route"))
def ssh(
    node: NodeArgument, command: Annotated[list[str] | None, typer.Argument()] = None, lab: LabOption = None
) -> None:
    """Open a shell in a machine, or run one command there."""
    from labbuilder.transport import openssh_argv  # noqa: PLC0415

    found = _existing(lab).session()
    found.shell(node).close()  # says in our words what is wrong, if anything is
    end = found.provider.endpoint(node)
    os.execvp("ssh", openssh_argv(end, end.identity.with_name("known_hosts"), command or []))


@app.command(
    "exec",
    epilog=_example(
        "labbuilder exec server1 -- systemctl status isc-dhcp-server",
        "labbuilder exec server1,server2 -- date",
        "labbuilder exec all -- ip -br addr",
    ),
)
def exec_(
    nodes: Annotated[str, typer.Argument(help="A machine, several with commas, or all.")],
    command: list[str],
    lab: LabOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run one command in machines, at once in all; the first exit status that is not 0 is passed on."""
    import shlex  # noqa: PLC0415

    from labbuilder.parallel import for_each  # noqa: PLC0415

    _settings["json"] = as_json
    found = _existing(lab)
    names = [m.name for m in found.plan().machines] if nodes == "all" else nodes.split(",")
    results = dict(zip(names, for_each(names, lambda name: found.run(name, shlex.join(command))), strict=True))
    if as_json:
        output.print_json({name: asdict(result) for name, result in results.items()})
    else:
        for name, result in results.items():
            head = f"{name}: " if len(names) > 1 else ""
            sys.stdout.write(output.indented(result.stdout, head))
            sys.stderr.write(output.indented(result.stderr, head))
    raise typer.Exit(next((result.code for result in results.values() if result.code), 0))


@app.command(epilog=_example("labbuilder logs server1", "labbuilder logs server1 isc-dhcp-server -f"))
def logs(
    node: NodeArgument,
    service: Annotated[str | None, typer.Argument()] = None,
    lines: Annotated[int, typer.Option("-n", help="So many lines.")] = 50,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines come.")] = False,
    lab: LabOption = None,
) -> None:
    """Show a machine's journal."""
    import shlex  # noqa: PLC0415

    command = f"journalctl --no-pager -q -n {lines}" + (f" -u {shlex.quote(service)}" if service else "")
    if follow:
        ssh(node, [command, "-f"], lab)
    print(_existing(lab).run(node, command).stdout, end="")


@app.command(epilog=_example("labbuilder console server1"))
def console(node: NodeArgument, lab: LabOption = None) -> None:
    """Show what a machine's console said, boot by boot."""
    path = _existing(lab).session().provider.console(node)
    if not path.exists():
        raise SpecError(brief=f"{node} has said nothing yet", resolution="labbuilder status lists the machines")
    print(path.read_text(encoding="utf-8", errors="replace"), end="")


@app.command(epilog=_example("labbuilder down", "labbuilder down --lab aula", "labbuilder down --all"))
def down(
    lab: LabOption = None,
    every: Annotated[bool, typer.Option("--all", help="All labs.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove everything of a lab, and look whether it is gone."""
    from labbuilder.engine import take_down  # noqa: PLC0415

    names = _home().lab_names()
    if not every and not (lab is None and not names):
        names = (lab or (_existing(None).name if len(names) != 1 else names[0]),)
    with _reporting(as_json=as_json):
        gone = [name for name in names if take_down(_home(), name)]
    if as_json:
        output.print_json({"removed": gone})
    else:
        print(f"Removed: {', '.join(gone)}." if gone else "There was nothing to remove.")


@app.command("list", epilog=_example("labbuilder list"))
def list_(as_json: JsonOption = False) -> None:
    """List the labs that were brought up."""
    names = _lab_names()
    output.print_json(names) if as_json else print("\n".join(names) or "There are no labs. labbuilder up makes one.")


@app.command(epilog=_example("labbuilder doctor"))
def doctor(as_json: JsonOption = False) -> None:
    """Say what this host has and lacks, and what to do about it."""
    from labbuilder.providers import choice  # noqa: PLC0415

    found = choice.doctor(_home())
    if as_json:
        output.print_json([asdict(finding) for finding in found])
    else:
        for finding in found:
            print(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name:15} {finding.seen}")
            if not finding.ok:
                print(f"      what to do: {finding.resolution}")
    raise typer.Exit(0 if all(finding.ok for finding in found) else 3)


SnapshotArgument = Annotated[str, typer.Argument(metavar="NAME", help="The snapshot's name.")]


@snapshot_app.command("save", epilog=_example("labbuilder snapshot save before-lesson-3"))
def snapshot_save(name: SnapshotArgument, lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Keep the state of every machine; the lab runs on."""
    found = _existing(lab)
    with _reporting(as_json=as_json):
        kept = found.save(name)
    output.print_json(asdict(kept)) if as_json else print(f"Kept as {name}: labbuilder snapshot restore {name}")


@snapshot_app.command("restore", epilog=_example("labbuilder snapshot restore before-lesson-3"))
def snapshot_restore(
    name: SnapshotArgument,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="It was broken when it was kept.")] = False,
    lab: LabOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring every machine back to the state that was kept, and on, and prove it; what came after it is lost."""
    found = _existing(lab)
    with _reporting(as_json=as_json, lab=found.name):
        found.restore(name, verify=not no_verify)
    output.print_json({"restored": name}) if as_json else print(f"The lab {found.name} is back at {name}.")


@snapshot_app.command("list", epilog=_example("labbuilder snapshot list --lab aula"))
def snapshot_list(lab: LabOption = None, as_json: JsonOption = False) -> None:
    """List what was kept."""
    _settings["json"] = as_json
    kept = _existing(lab).snapshots()
    if as_json:
        output.print_json([asdict(snapshot) for snapshot in kept])
    else:
        print(output.table(("snapshot", "taken at"), [(s.name, s.taken_at) for s in kept]))


@snapshot_app.command("delete", epilog=_example("labbuilder snapshot delete before-lesson-3"))
def snapshot_delete(name: SnapshotArgument, lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Forget a state that was kept."""
    found = _existing(lab)
    with _reporting(as_json=as_json):
        found.forget(name)
    output.print_json({"deleted": name}) if as_json else print(f"Deleted: {name}.")


@image_app.command("build", epilog=_example("labbuilder image build"))
def image_build(file: FileArgument = None, as_json: JsonOption = False) -> None:
    """Build the image of a spec, unless it is cached."""
    from labbuilder.providers.choice import images  # noqa: PLC0415

    with _reporting(as_json=as_json):
        digest = images(_home()).ensure(_described(file).plan().image).name
    output.print_json({"image": digest}) if as_json else print(digest)


@image_app.command("list", epilog=_example("labbuilder image list"))
def image_list(as_json: JsonOption = False) -> None:
    """List the cached images."""
    from labbuilder.providers.choice import images  # noqa: PLC0415

    found = images(_home()).all()
    if as_json:
        output.print_json([asdict(image) for image in found])
    else:
        rows = [(i.digest, i.suite, i.built_at, f"{i.size_bytes // 1_000_000} MB") for i in found]
        print(output.table(("image", "suite", "built at", "size"), rows))


@image_app.command("prune", epilog=_example("labbuilder image prune"))
def image_prune(as_json: JsonOption = False) -> None:
    """Remove the images that no lab uses."""
    from labbuilder.engine import images_in_use  # noqa: PLC0415
    from labbuilder.providers.choice import images  # noqa: PLC0415

    _settings["json"] = as_json
    removed = [image.digest for image in images(_home()).prune(images_in_use(_home()))]
    if as_json:
        output.print_json({"removed": removed})
    else:
        print(f"Removed: {', '.join(removed)}." if removed else "There was nothing to remove.")


def main() -> None:
    """Run the command line; every error becomes words and an exit status."""
    try:
        app(prog_name="labbuilder")
    except LabError as error:
        output.print_error(error, as_json=_settings["json"])
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read our output has left
    except OSError as error:
        output.print_error(HostError(brief=str(error)), as_json=_settings["json"])
        sys.exit(HostError.exit_code)
    except Exception as error:  # noqa: BLE001  our own mistake: words for the user, the traceback for who mends it
        output.print_error(_own_mistake(error), as_json=_settings["json"])
        sys.exit(LabError.exit_code)


def _own_mistake(error: Exception) -> LabError:
    import traceback  # noqa: PLC0415

    seen = f"{type(error).__name__}: {error}"
    _home().path.mkdir(parents=True, exist_ok=True)
    with _home().log.open("a", encoding="utf-8") as log:
        log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(sys.argv[1:])}\n{traceback.format_exc()}\n")
    return LabError(
        brief="labbuilder itself failed: this is a mistake in it",
        details=seen,
        resolution=f"send us {_home().log}; nothing is lost: labbuilder down removes what was made",
    )
