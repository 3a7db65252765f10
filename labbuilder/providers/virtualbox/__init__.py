"""Machines in VirtualBox, driven by VBoxManage.

vboxmanage  the only caller of VBoxManage: lock, errors, output
registry    what VirtualBox knows: machines, host interfaces
hardware    the words of `modifyvm` for a machine of the plan
observer    the same by pyvbox, where its binding is there
media       disks: full and linked clones, forgotten and never deleted
images      the base disk, and the CD with a machine's identity
bridge      which interface of the host NIC 2 is bridged to
record      what was written down before VirtualBox was asked
provider    the protocol
host        what `labbuilder doctor` says
"""
