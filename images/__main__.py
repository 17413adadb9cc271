"""`make images`: both images as OCI archives, with their digests and their bills of materials."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path
from typing import Annotated

import typer
from images.base import ensure_base
from images.buildah import Buildah, ImageError
from images.contents import bill_of_materials
from images.pip_settings import build_options

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist" / "images"
DIGESTS = DIST / "digests.txt"
IMAGES = ("operator", "server")
ARGUMENTS = {"server": {"ATTENTION": "torch"}}
"""Its default, said aloud: older buildahs find a stage by a name with an argument in it only then."""


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    names: Annotated[list[str] | None, typer.Argument(help="operator or server; both unless given")] = None,
    python_image: Annotated[str, typer.Option(help="base with Python 3.11; made from Debian's packages if empty")] = "",
    build_only: Annotated[bool, typer.Option(help="leave the image in buildah's storage")] = False,
) -> None:
    """Build the images, and write each with its digest and what is in it to dist/images."""
    try:
        buildah = Buildah.found()
        base = python_image or ensure_base(buildah)
        for name in names or IMAGES:
            tag = build(buildah, name, base)
            typer.echo(tag if build_only else publish(buildah, name, tag))
    except ImageError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def build(buildah: Buildah, name: str, base: str) -> str:
    """Build `Dockerfile.NAME` on `base`. Returns the image's tag."""
    tag = f"localhost/plimsoll/{name}:{_version(name)}"
    with tempfile.TemporaryDirectory() as folder:
        arguments = ARGUMENTS.get(name, {}) | {"PYTHON_IMAGE": base}
        buildah.build(ROOT / f"Dockerfile.{name}", tag, arguments, build_options(Path(folder)))
    return tag


def publish(buildah: Buildah, name: str, tag: str) -> str:
    """Write the archive, its bill of materials and its digest to dist/images. Returns the line that says so."""
    DIST.mkdir(parents=True, exist_ok=True)
    archive = DIST / f"{name}.oci.tar"
    archive.unlink(missing_ok=True)
    reference = tag.removeprefix("localhost/")
    with tempfile.TemporaryDirectory() as folder:
        digest = buildah.push(tag, f"oci-archive:{archive}:{reference}", Path(folder) / "digest")
    with buildah.container(tag) as root:
        bill = bill_of_materials(root, reference.partition(":")[0], _version(name), digest)
    (DIST / f"{name}.cdx.json").write_text(bill)
    line = f"{digest}  {reference}"
    _record(line, reference)
    return line


def _record(line: str, reference: str) -> None:
    """One line per image: the newest."""
    others = DIGESTS.read_text().splitlines() if DIGESTS.exists() else []
    kept = [other for other in others if not other.endswith(f"  {reference}")]
    DIGESTS.write_text("\n".join(sorted([*kept, line])) + "\n")


def _version(name: str) -> str:
    project = tomllib.loads((ROOT / name / "pyproject.toml").read_text())["project"]
    return str(project["version"])


if __name__ == "__main__":
    app()
