"""`plimsoll-server bench calibration`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plimsoll_server.bench.loading import rows_of, told_errors, write_report

if TYPE_CHECKING:
    from plimsoll_server.train.posterior import Examples


def calibration(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="Of the family bayesian.")],
    texts: Annotated[
        Path, typer.Option(help="JSON Lines with the fields `text` and `label`, which it was not trained on.")
    ],
    outside: Annotated[
        Path | None, typer.Option(help="JSON Lines with a field `text`: of another kind.", show_default=False)
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", help="A folder for calibration.json, calibration.md and calibration.png.")
    ] = Path(),
) -> None:
    """Expected calibration error before and after the temperature, and whether uncertainty tells other texts apart."""
    from plimsoll_server.bench.calibration.measure import measure
    from plimsoll_server.bench.calibration.report import draw, lines
    from plimsoll_server.surroundings import origin

    with told_errors():
        reader = _Reader(model)
        figures = measure(reader.network, reader.examples(texts), None if outside is None else reader.outside(outside))
    command = "plimsoll-server bench calibration MODEL --texts TEXTS" + (" --outside OTHERS" if outside else "")
    document = {**origin(command), "figures": dataclasses.asdict(figures)}
    write_report(output, "calibration", document, "\n".join(lines(document)), draw)


class _Reader:
    """Texts by one model. Raises ModelError for what is no such model."""

    def __init__(self, folder: Path) -> None:
        import torch
        from tokenizers import Tokenizer

        from plimsoll_server.config import ModelConfig
        from plimsoll_server.models.bayesian import BayesianForSequenceClassification
        from plimsoll_server.models.family import Placement
        from plimsoll_server.models.load import load_model

        # As it is served, with all that is refused then.
        wanted = ModelConfig(location=str(folder.resolve()), family="bayesian")
        self._info = load_model(wanted, Placement(torch.device("cpu"), torch.float32, "sdpa")).info
        self.network = BayesianForSequenceClassification.from_pretrained(folder, attn_implementation="packed_sdpa")
        self._tokenizer: Tokenizer = Tokenizer.from_file(self._info.tokenizer_file)

    def examples(self, file: Path) -> Examples:
        rows = rows_of(file)
        numbers = {label: number for number, label in enumerate(self._info.labels)}
        if unknown := sorted({str(row.get("label")) for row in rows} - set(numbers))[:3]:
            raise ValueError(f"{file.name}: labels {', '.join(unknown)} are none of the model's: {', '.join(numbers)}")
        return self._read(rows, [numbers[str(row["label"])] for row in rows])

    def outside(self, file: Path) -> Examples:
        rows = rows_of(file)
        return self._read(rows, [0] * len(rows))

    def _read(self, rows: list[dict[str, Any]], labels: list[int]) -> Examples:
        from plimsoll_server.train.posterior import read

        tokens = [self._tokenizer.encode(row["text"]).ids[: self._info.window] for row in rows]
        return read(self.network, tokens, labels)
