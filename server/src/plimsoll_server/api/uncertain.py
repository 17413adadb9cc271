"""What a model that knows how sure it is says of its answers, in the protocols whose answers may hold more."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from plimsoll_server.scheduler.answers import Answer


class Uncertain(BaseModel):
    predictive_entropy: Annotated[float, Field(description="In nats; 0: sure of one label.")]
    mutual_information: Annotated[
        float,
        Field(description="In nats; the part of it that comes from texts of a kind that the model has seen little."),
    ]


Told = Annotated[Uncertain | None, Field(description="Of a model that tells it (family bayesian), else absent.")]


def uncertainty_of(answer: Answer) -> dict[str, Any]:
    """The fields that it adds to an answer: none, or the one `uncertainty`."""
    if answer.uncertainty is None:
        return {}
    entropy, mutual_information = answer.uncertainty.numbers
    return {"uncertainty": {"predictive_entropy": entropy, "mutual_information": mutual_information}}
