"""`labbuilder image`."""

from __future__ import annotations

import sys
from dataclasses import asdict

import typer

from labbuilder.cli import output
from labbuilder.cli.shared import FileArgument, JsonOption, app, described, example, home, reporting

image_app = typer.Typer(help="The images that machines share.", no_args_is_help=True)
app.add_typer(image_app, name="image")


@image_app.command("build", epilog=example("labbuilder image build"))
def image_build(file: FileArgument = None, as_json: JsonOption = False) -> None:
    """Build the image of a spec, unless it is cached."""
    from labbuilder.lifecycle.image import build_image  # noqa: PLC0415

    with reporting():
        name = build_image(described(file).spec, home())
    output.print_json({"image": name}) if as_json else print(
        name or "The spec names a disk of yours: nothing to build."
    )


@image_app.command("list", epilog=example("labbuilder image list"))
def image_list(as_json: JsonOption = False) -> None:
    """List the cached images."""
    from labbuilder.providers.images import ImageCache  # noqa: PLC0415

    found = ImageCache(home()).all()
    if as_json:
        output.print_json([asdict(image) for image in found])
    else:
        rows = [(i.name, i.kind, i.suite, i.built_at, f"{i.size_bytes // 1_000_000} MB") for i in found]
        print(output.table(("image", "kind", "suite", "built at", "size"), rows))


@image_app.command("prune", epilog=example("labbuilder image prune"))
def image_prune(as_json: JsonOption = False) -> None:
    """Remove the images that no lab uses, here and on the Incus servers that are known."""
    from labbuilder.lifecycle.image import prune_images  # noqa: PLC0415

    found = prune_images(home())
    if as_json:
        output.print_json(asdict(found))
        return
    print(f"Removed: {', '.join(found.removed)}." if found.removed else "There was nothing to remove.")
    for left in found.left:
        print(f"not looked at: {left}", file=sys.stderr)
