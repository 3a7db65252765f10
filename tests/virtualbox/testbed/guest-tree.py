"""The root tree of the guests: the product's recipe, with the kernel that boots quickest here. No folder: its hash."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from labbuilder.plan.image import image_recipe
from labbuilder.providers.debian import build_tree
from labbuilder.providers.disks.recipe import KERNEL, disk_recipe
from labbuilder.spec.models import LabSpec

recipe = disk_recipe(image_recipe(LabSpec()))
packages = tuple(package for package in recipe.packages if package not in (*KERNEL, "initramfs-tools"))
recipe = replace(recipe, packages=(*packages, "linux-image-cloud-amd64"))
if sys.argv[1:]:
    build_tree(recipe, Path(sys.argv[1]), lambda _: None)
else:
    print(recipe.digest)
