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
    from labbuilder.providers.choice import images  # noqa: PLC0415

    with reporting(as_json=as_json):
        digest = images(home()).ensure(described(file).plan().image).name
    output.print_json({"image": digest}) if as_json else print(digest)


@image_app.command("list", epilog=example("labbuilder image list"))
def image_list(as_json: JsonOption = False) -> None:
    """List the cached images."""
    from labbuilder.providers.choice import images  # noqa: PLC0415

    found = images(home()).all()
    if as_json:
        output.print_json([asdict(image) for image in found])
    else:
        rows = [(i.digest, i.suite, i.built_at, f"{i.size_bytes // 1_000_000} MB") for i in found]
        print(output.table(("image", "suite", "built at", "size"), rows))


@image_app.command("prune", epilog=example("labbuilder image prune"))
def image_prune(as_json: JsonOption = False) -> None:
    """Remove the images that no lab uses."""
    from labbuilder.engine import images_in_use  # noqa: PLC0415
    from labbuilder.providers.choice import images  # noqa: PLC0415

    settings["json"] = as_json
    removed = [image.digest for image in images(home()).prune(images_in_use(home()))]
    if as_json:
        output.print_json({"removed": removed})
    else:
        print(f"Removed: {', '.join(removed)}." if removed else "There was nothing to remove.")
