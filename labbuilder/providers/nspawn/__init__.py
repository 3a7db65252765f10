"""Full Debian machines in systemd-nspawn: no hypervisor, no root in them, nothing of the host's network.

provider.py     the Provider of this kind: what the command's process does
supervisor.py   the lab's own process, PID 1 of the lab's namespaces: boots, reboots, kills machines
launch.py       one boot of one machine: namespaces, overlay, exec of systemd-nspawn
wires.py        bridges, veths and cables in the lab's network namespace
upstream.py     the simulated world behind the bridged LAN
control.py      the socket between the command and the supervisor
supervisors.py  which supervisors run on this host, and of which lab
traces.py       the labs that the host shows, also those that have lost their folder
folders.py      a machine's folder: what it wrote, its cards, its snapshots
cgroups.py      the control groups of a lab, on v1, hybrid and v2 hosts
linux.py        system calls that Python 3.11's os lacks
"""
