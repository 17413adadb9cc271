"""Who answered while a change was shipped, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from plimsoll_sandbox.demo.requests import Answer


def answers_table(answers: Sequence[Answer], called: Mapping[str, str]) -> Table:
    """A row for each revision, in the order in which they came; `called` is what the reader knows them by."""
    table = Table(title="Who answered meanwhile", title_justify="left")
    for column in ("revision", "answered", "failed"):
        table.add_column(column, justify="left" if column == "revision" else "right")
    for revision in dict.fromkeys(answer.revision for answer in answers):
        of_it = [answer for answer in answers if answer.revision == revision]
        failed = sum(not answer.good for answer in of_it)
        who = f"{revision} ({called.get(revision, 'another')})" if revision else "nobody"
        table.add_row(who, f"{len(of_it) - failed:,}", f"[red]{failed:,}[/]" if failed else "0")
    return table
