"""$(NAME) references."""

from __future__ import annotations

import pytest

from plimsoll_sandbox.node.expansion import expand


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(HOST):$(PORT)", "example:80"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(HOST)", "$(HOST)"),
        ("$$$(HOST)", "$example"),
        ("$HOST ${HOST} $", "$HOST ${HOST} $"),
        ("$(HOST", "$(HOST"),
        ("$(NESTED)", "$(HOST)"),
    ],
)
def test_references_are_expanded_once(text: str, expanded: str) -> None:
    assert expand(text, {"HOST": "example", "PORT": "80", "NESTED": "$(HOST)"}) == expanded
