"""What pytest would not say: a fixture of scope "package" lasts for the whole run where its folder is no package."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SHARING = [path for path in TESTS.rglob("conftest.py") if 'scope="package"' in path.read_text()]


@pytest.mark.parametrize("conftest", SHARING, ids=lambda path: str(path.parent.relative_to(TESTS)))
def test_a_folder_whose_fixtures_end_with_it_is_a_package(conftest: Path) -> None:
    folders = [folder for folder in conftest.parents if folder.is_relative_to(TESTS)]
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
