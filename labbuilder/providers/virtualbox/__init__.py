"""Machines in VirtualBox, driven by VBoxManage.

vboxmanage  the only caller of VBoxManage: lock, errors, output
registry    what VirtualBox knows: machines, media, host interfaces
hardware    the words of `modifyvm` for a machine of the plan
disks       the base disk, full and linked clones
provider    the protocol
host        what `labbuilder doctor` says
"""
