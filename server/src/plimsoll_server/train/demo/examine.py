"""How well a model does on documents of modules that it never saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import ModernBertForSequenceClassification

from plimsoll_server.scheduler.chunks import cut, new_tokens
from plimsoll_server.scheduler.scores import mean
from plimsoll_server.train.demo.batches import framed
from plimsoll_server.train.demo.documents import Document
from plimsoll_server.train.demo.results import Result


class Examiner:
    """Reads texts as the server does: one by one; one longer than the window in chunks whose scores are averaged."""

    def __init__(
        self, network: ModernBertForSequenceClassification, tokenizer: Tokenizer, *, window: int, overlap: int
    ) -> None:
        self._network: Any = network
        self._tokenizer = tokenizer
        self._room = window - tokenizer.num_special_tokens_to_add(is_pair=False)
        self._overlap = overlap

    def examine(self, documents: Sequence[Document], on_document: Callable[[], None]) -> Result:
        """`documents` may not be empty."""
        right = tokens = 0
        for document in documents:
            ids = self._tokenizer.encode(document.text, add_special_tokens=False).ids
            right += self._label(ids) == document.topic
            tokens += len(ids)
            on_document()
        [(topic, majority)] = Counter(document.topic for document in documents).most_common(1)
        return Result(len(documents), right, round(tokens / len(documents)), topic, majority)

    @torch.inference_mode()
    def _label(self, ids: Sequence[int]) -> str:
        spans = cut(len(ids), self._room, self._overlap) if len(ids) > self._room else ((0, len(ids)),)
        chunks = [self._network(framed(torch.tensor([ids[start:end]]))).logits[0].softmax(-1) for start, end in spans]
        scores = mean([tuple(chunk.tolist()) for chunk in chunks], new_tokens(spans))
        label: str = self._network.config.id2label[scores.index(max(scores))]
        return label
