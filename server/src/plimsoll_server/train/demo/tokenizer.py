"""A tokenizer made on the spot from the training text.

Byte pairs within words, where a word ends at a space, a mark, a digit, or a capital inside an identifier: `readLine` and
`read_line` both hold `read` and `line`. Plain byte pairs, because the library's trainers of marked ones (WordPiece's
`##`) break ties at random, and two runs of one seed would differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import NFD, Lowercase, Replace, StripAccents
from tokenizers.normalizers import Sequence as NormalizerSequence
from tokenizers.pre_tokenizers import BertPreTokenizer, Digits
from tokenizers.pre_tokenizers import Sequence as PreTokenizerSequence
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

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


def for_transformers(tokenizer: Tokenizer, window: int) -> PreTrainedTokenizerFast:
    """The same tokenizer in the form that is saved beside a model."""
    wrapped: Any = PreTrainedTokenizerFast
    fast: PreTrainedTokenizerFast = wrapped(
        tokenizer_object=tokenizer,
        model_max_length=window,
        model_input_names=["input_ids", "attention_mask"],
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=START,
        sep_token=END,
        mask_token=MASK,
    )
    return fast
