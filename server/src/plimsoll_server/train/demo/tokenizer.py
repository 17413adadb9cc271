"""A tokenizer made on the spot from the training text.

Byte pairs within words, where a word ends at a space, a mark, a digit, or a capital inside an identifier: `readLine`
and `read_line` both hold `read` and `line`. Plain pairs, because the library's trainers of marked ones (WordPiece's
`##`) break ties at random, and two runs of one seed would differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import NFD, Lowercase, Replace, StripAccents
from tokenizers.normalizers import Sequence as NormalizerSequence
from tokenizers.pre_tokenizers import BertPreTokenizer, Digits
from tokenizers.pre_tokenizers import Sequence as PreTokenizerSequence
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer

PAD, UNKNOWN, START, END, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

_CAPITAL_INSIDE_A_WORD = r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """At most `vocabulary` tokens, special ones included; their ids are their places in SPECIAL_TOKENS."""
    made: Any = Tokenizer(BPE(unk_token=UNKNOWN))
    made.normalizer = NormalizerSequence(
        [Replace(Regex(_CAPITAL_INSIDE_A_WORD), " "), NFD(), StripAccents(), Lowercase()]
    )
    made.pre_tokenizer = PreTokenizerSequence([BertPreTokenizer(), Digits(individual_digits=True)])
    made.train_from_iterator(
        texts,
        BpeTrainer(vocab_size=vocabulary, min_frequency=2, special_tokens=list(SPECIAL_TOKENS), show_progress=False),
    )
    made.post_processor = TemplateProcessing(
        single=f"{START} $A {END}",
        pair=f"{START} $A {END} $B {END}",
        special_tokens=[(token, SPECIAL_TOKENS.index(token)) for token in (START, END)],
    )
    tokenizer: Tokenizer = made
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, window: int) -> None:
    """The tokenizer's own file, and the one from which transformers, old or new, learns how to use it."""
    # Not by `tokenizer.save`, which tells a full disk as a bare Exception.
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=True), encoding="utf-8")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": window,
        "model_input_names": ["input_ids", "attention_mask"],
        "pad_token": PAD,
        "unk_token": UNKNOWN,
        "cls_token": START,
        "sep_token": END,
        "mask_token": MASK,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
