"""What a model's embeddings must be: by transformers alone, one text at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers.models.modernbert.modeling_modernbert import ModernBertModel


def embeddings_by_hand(folder: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """Means over all tokens, not normalised: shape (texts, width)."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    network: Any = ModernBertModel.from_pretrained(folder, attn_implementation="eager")
    with torch.inference_mode():
        means = [network(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0].mean(0) for text in texts]
    return torch.stack(means).numpy()
