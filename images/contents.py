"""What is in an image: the bill of materials that goes with it, in CycloneDX's form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ENVIRONMENT = "opt/plimsoll/lib"
DEBIAN_STATUS = "var/lib/dpkg/status"


def bill_of_materials(root: Path, image: str, version: str, digest: str) -> str:
    """CycloneDX JSON of the image whose files are under `root`."""
    about = Component(name=image, version=f"{version}@{digest}", type=ComponentType.CONTAINER, bom_ref=image)
    bom = Bom(components=[*python_packages(root), *debian_packages(root)])
    bom.metadata.component = about
    bom.register_dependency(about, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def python_packages(root: Path) -> Iterator[Component]:
    """What is installed in the environment that ships."""
    folders = [str(folder) for folder in (root / ENVIRONMENT).glob("python3.*/site-packages")]
    for found in distributions(path=folders):
        name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
        yield _component(PackageURL("pypi", None, name, found.version), _license(found))


def debian_packages(root: Path) -> Iterator[Component]:
    """What dpkg knows of as installed; none in an image without it."""
    status = root / DEBIAN_STATUS
    for entry in status.read_text(encoding="utf-8").split("\n\n") if status.exists() else ():
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", entry, re.MULTILINE))
        if fields.get("Status") == "install ok installed":
            architecture = {"arch": fields["Architecture"]}
            yield _component(PackageURL("deb", "debian", fields["Package"], fields["Version"], architecture), "")


def _component(url: PackageURL, license_text: str) -> Component:
    component = Component(name=url.name, version=url.version, purl=url, bom_ref=url.to_string())
    if license_text:
        component.licenses.add(LicenseExpression(value=license_text))
    return component


def _license(found: Distribution) -> str:
    """Its SPDX expression, where it states one; what older packages write there is free text."""
    stated = "License-Expression" in found.metadata
    return found.metadata["License-Expression"] if stated else ""
