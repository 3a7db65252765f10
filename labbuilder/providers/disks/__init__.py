"""Disks that a virtual machine boots from, and the seed that tells each machine who it is. Knows no hypervisor."""
