"""Times of labbuilder on a three-member Incus cluster, against the same lab by bare incus commands, turn by turn.

The bare lab is what a person would script: the same networks, containers, files and commands, by the `incus` client
on a member. ``python benchmarks/bench_incus.py [ROUNDS]`` prints a table, then one JSON document.
"""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))

from incus_cluster import Cluster  # noqa: E402  it lies with the tests

from labbuilder.lab import Lab  # noqa: E402
from labbuilder.plan import MachinePlan, Plan  # noqa: E402
from labbuilder.providers.incus import images, world  # noqa: E402

COMMAND = ROOT / ".venv/bin/labbuilder"
WORLD = "bare-world"
NETWORKS = """
for n in barei bareb; do (
    for h in h1 h2 h3; do incus -q network create $n --type bridge --target $h tunnel.vx.interface=br0; done
    incus -q network create $n --type bridge ipv4.address=none ipv6.address=none \\
        tunnel.vx.protocol=vxlan tunnel.vx.id=$(( $(printf %d "'${n#bare}") + 70000 ))
) & done; wait
"""


def launch(image: str, name: str, member: str, nics: dict[str, str]) -> str:
    """Shell that launches one container and waits until its systemd takes commands."""
    devices = {"root": {"type": "disk", "path": "/", "pool": "default"}}
    devices |= {nic: {"type": "nic", "name": nic, "network": network} for nic, network in nics.items()}
    config = json.dumps({"config": {"user.labbuilder.machine": name}, "devices": devices})
    return (
        f"printf %s {shlex.quote(config)} | incus -q launch {image} {name} --target {member} --no-profiles\n"
        f"until incus exec {name} -- systemctl is-active -q sockets.target; do sleep 0.1; done"
    )


def configured(machine: MachinePlan) -> str:
    """Shell that writes a machine's files and applies its services, run in it."""
    lines = ["set -e"]
    for file in machine.files:
        lines += [
            f"mkdir -p $(dirname {file.path})",
            f"cat >{file.path} <<'file ends'\n{file.text.rstrip()}\nfile ends",
        ]
    for service in machine.steps:
        lines += [command.replace("{new}", path) for path, command in service.validate]
        lines += [f"( {service.apply}\n)", f"until ( {service.holds}\n) >/dev/null 2>&1; do sleep 0.1; done"]
    return "\n".join(lines)


def bare_script(plan: Plan) -> str:
    """The whole lab, as one shell script of incus commands."""
    image, lines = images.image_name(plan.image), ["set -e", NETWORKS]
    jobs = [f"{launch(image, WORLD, 'h1', {world.NIC: 'bareb'})}\n{within(WORLD, world.settle_script(plan.upstream))}"]
    for number, machine in enumerate(plan.machines):
        nics = {nic.name: "barei" if nic.network == "internal" else "bareb" for nic in machine.nics}
        jobs.append(launch(image, f"bare-{machine.name}", f"h{number % 3 + 1}", nics))
    lines += [f"(\n{job}\n) &" for job in jobs]
    lines += ["wait", *(f"(\n{within(f'bare-{m.name}', configured(m))}\n) &" for m in plan.servers), "wait"]
    lines += [within(f"bare-{m.name}", configured(m)) for m in plan.clients]
    assert plan.upstream.witness is not None
    asked = f"nc -w 3 {plan.upstream.witness.address} {plan.upstream.witness.port} </dev/null"
    lines.append(f"until incus exec bare-client1 -- sh -c {shlex.quote(asked)} | grep -q ^172.26; do sleep 0.1; done")
    return "\n".join(lines)


def within(name: str, script: str) -> str:
    """Shell that runs a script in a container."""
    return f"incus exec {name} -- sh <<'script ends' >/dev/null\n{script}\nscript ends"


def timed(*argv: str | Path) -> float:
    """Seconds of one command."""
    begun = time.monotonic()
    subprocess.run([str(word) for word in argv], check=True, capture_output=True)
    return time.monotonic() - begun


def bare(cluster: Cluster, plan: Plan) -> float:
    """Seconds until the bare lab is proven; it is removed."""
    begun = time.monotonic()
    try:
        cluster.run(cluster.member(1), "sh", "-c", bare_script(plan), timeout_s=120.0)
        return time.monotonic() - begun
    finally:
        names = " ".join([WORLD, *(f"bare-{m.name}" for m in plan.machines)])
        script = f"for n in {names}; do incus -q delete -f $n & done; wait; incus network delete barei bareb"
        cluster.run(cluster.member(1), "sh", "-c", script, ok=range(256))


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    phases: dict[str, list[float]] = {"bare incus": [], "up": [], "up again": [], "down": []}
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="lbbench-", dir="/var/tmp")) / "c")
    begun = time.monotonic()
    try:
        cluster.up()
        phases["cluster up"] = [time.monotonic() - begun]
        where = ("--provider", "incus", "--remote", str(cluster.member(1).socket), "--name", "bench")
        plan = Lab("bench").add_server().add_server().add_client().set(provider="incus").plan()
        timed(COMMAND, "up", *where)  # uploads the image, and every member unpacks it
        timed(COMMAND, "down", "--lab", "bench")
        bare(cluster, plan)
        for _ in range(rounds):
            phases["bare incus"].append(bare(cluster, plan))
            phases["up"].append(timed(COMMAND, "up", *where))
            phases["up again"].append(timed(COMMAND, "up", *where))
            phases["down"].append(timed(COMMAND, "down", "--lab", "bench"))
    finally:
        cluster.down()
        os.rmdir(cluster.folder.parent)
    medians = {name: round(statistics.median(seconds), 2) for name, seconds in phases.items()}
    for name, seconds in medians.items():
        print(f"{name:11} median {seconds:6.2f}  x{seconds / medians['bare incus']:.2f}")
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
