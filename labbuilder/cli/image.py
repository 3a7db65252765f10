"""`labbuilder image`."""

from __future__ import annotations

from dataclasses import asdict

import typer

from labbuilder.cli import output
from labbuilder.cli.shared import FileArgument, JsonOption, app, described, example, home, reporting, settings

image_app = typer.Typer(help="The images that machines share.", no_args_is_help=True)
app.add_typer(image_app, name="image")


@image_app.command("build", epilog=example("labbuilder image build"))
def image_build(file: FileArgument = None, as_json: JsonOption = False) -> None:
    """Build the image of a spec, unless it is cached."""
    from labbuilder.engine import build_image  # noqa: PLC0415

    with reporting(as_json=as_json):
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
    """Remove the images that no lab uses."""
    from labbuilder.engine import images_in_use  # noqa: PLC0415
    from labbuilder.providers.images import ImageCache  # noqa: PLC0415

    settings["json"] = as_json
    removed = [image.name for image in ImageCache(home()).prune(images_in_use(home()))]
    if as_json:
        output.print_json({"removed": removed})
    else:
        print(f"Removed: {', '.join(removed)}." if removed else "There was nothing to remove.")
