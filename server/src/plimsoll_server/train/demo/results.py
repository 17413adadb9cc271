"""What an examination found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """Of one kind of document."""

    documents: int
    right: int
    mean_tokens: int
    majority_topic: str
    majority: int
    """Documents of the most frequent topic: what always giving that answer would get right."""

    @property
    def accuracy(self) -> float:
        return self.right / self.documents

    @property
    def majority_share(self) -> float:
        return self.majority / self.documents

    @property
    def margin(self) -> float:
        return self.accuracy - self.majority_share


@dataclass(frozen=True)
class Results:
    short: Result
    long: Result
    chunked: Result
