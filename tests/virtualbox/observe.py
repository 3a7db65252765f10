"""Print what both observers say of everything, as JSON. Runs with the Python that VirtualBox's binding is for."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from labbuilder.providers.virtualbox.observer import PyvboxRegistry, open_registry
from labbuilder.providers.virtualbox.registry import Registry, VBoxManageRegistry
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage


def everything(registry: Registry) -> dict[str, object]:
    names = registry.names()
    return {
        "version": registry.version(),
        "names": names,
        "machines": [asdict(registry.machine(uuid)) for uuid in sorted(names)],
        "interfaces": sorted(map(asdict, registry.bridged_interfaces()), key=str),
    }


vboxmanage = VBoxManage()
chosen = open_registry(vboxmanage)
answers = {"pyvbox": everything(PyvboxRegistry()), "vboxmanage": everything(VBoxManageRegistry(vboxmanage))}
json.dump({"chosen": type(chosen).__name__, **answers}, sys.stdout, default=str)
