"""Machines in VirtualBox, made and started by Vagrant.

vagrantfile  the text of the Vagrantfile; the template is the top-level Vagrantfile.j2
command      the only caller of vagrant: by python-vagrant where that can, its errors as ours
files        the lab's folder as Vagrant sees it; never written over what a user wrote
boxes        the box: packed from VirtualBox's base disk, or the user's
prepare      how a machine learns who it is: a CD, or a script for a box of the user's
provider     the protocol: what Vagrant has no word for is the VirtualBox provider's
host         which Vagrant goes with which VirtualBox; what `labbuilder doctor` says
"""
