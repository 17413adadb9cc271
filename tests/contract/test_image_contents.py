"""What goes with an image: a bill of what is in it, and nothing of the machine that built it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from images.contents import bill_of_materials
from images.pip_settings import AUTHORITY, build_options

DPKG = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u14
Description: GNU C Library
 Version: of a line that continues

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(DPKG)
    return tmp_path


def install(root: Path, name: str, version: str, license_line: str = "") -> None:
    folder = root / f"opt/plimsoll/lib/python3.11/site-packages/{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{license_line}")


def test_the_bill_names_each_package_with_its_version_and_license(root: Path) -> None:
    install(root, "Kopf_Like", "1.2.3", "License-Expression: MIT OR Apache-2.0\n")
    bill = json.loads(bill_of_materials(root, "plimsoll/operator", "0.1.0", "sha256:abc"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["version"] == "0.1.0@sha256:abc"
    urls = {component["purl"] for component in bill["components"]}
    assert urls == {"pkg:pypi/kopf-like@1.2.3", "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64"}
    [python] = [component for component in bill["components"] if component["name"] == "kopf-like"]
    assert python["licenses"] == [{"expression": "MIT OR Apache-2.0"}]


def test_pips_settings_go_in_as_a_secret_and_the_authority_as_a_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:password@index.example/simple")
    monkeypatch.setenv("PIP_CERT", "/etc/authority.crt")
    monkeypatch.setenv("PIP_FIND_LINKS", "/a/folder/of/this/machine")
    options = build_options(tmp_path)
    assert options == ("--volume", f"/etc/authority.crt:{AUTHORITY}:ro", "--secret", f"id=pip,src={tmp_path}/pip.conf")
    written = (tmp_path / "pip.conf").read_text().splitlines()
    assert "index-url = https://user:password@index.example/simple" in written
    assert f"cert = {AUTHORITY}" in written
    assert not [line for line in written if "find-links" in line]
