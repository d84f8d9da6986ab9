"""Tiny models of the true architectures with random weights, saved as on the Hugging Face hub."""

from __future__ import annotations

import itertools
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def bpe_tokenizer(model_max_length: int = 32) -> Any:
    """Byte pairs of DNA between two special tokens, as GENA-LM and DNABERT-2 have."""
    import numpy as np
    from tokenizers import Tokenizer, models, processors, trainers
    from transformers import PreTrainedTokenizerFast

    rng = np.random.default_rng(0)
    names = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"]
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    trainer = trainers.BpeTrainer(
        vocab_size=60, special_tokens=names, initial_alphabet=list("ACGTN"), show_progress=False
    )
    tokenizer.train_from_iterator(["".join(rng.choice(list("ACGT"), 500)) for _ in range(20)], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    special = {f"{name.strip('[]').lower()}_token": name for name in names}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=model_max_length, **special)


def esm_tokenizer(folder: Path, tokens: list[str], **options: Any) -> Any:
    from transformers import EsmTokenizer

    (folder / "vocab.txt").write_text("\n".join(tokens))
    return EsmTokenizer(str(folder / "vocab.txt"), **options)


def make(folder: Path, config: Any, tokenizer: Any) -> Path:
    import torch
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    logging.enable_progress_bar()
    return folder


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a model of an architecture, once."""
    transformers = pytest.importorskip("transformers")
    _ = transformers.AutoModel, transformers.BertModel, transformers.EsmModel  # slow to import, and no test's own time
    made: dict[str, Path] = {}

    def get(architecture: str) -> Path:
        if architecture not in made:
            made[architecture] = build(architecture, tmp_path_factory.mktemp(architecture))
        return made[architecture]

    return get


def build(architecture: str, folder: Path) -> Path:
    transformers: Any = import_module("transformers")
    sizes = {**SIZES, "vocab_size": 70}
    special = {"pad_token_id": 2, "cls_token_id": 0, "sep_token_id": 1, "bos_token_id": 0, "eos_token_id": 1}
    if architecture == "bert":
        return make(folder, transformers.BertConfig(**sizes, max_position_embeddings=64), bpe_tokenizer())
    if architecture == "big_bird":
        config = transformers.BigBirdConfig(**sizes, max_position_embeddings=128, block_size=4, num_random_blocks=1)
        return make(folder, config, bpe_tokenizer(128))
    if architecture == "modernbert":
        config = transformers.ModernBertConfig(**sizes, **special, max_position_embeddings=64)
        return make(folder, config, bpe_tokenizer())
    if architecture == "nucleotide_transformer":
        words = ["".join(letters) for letters in itertools.product("ACGT", repeat=6)]
        tokens = ["<unk>", "<pad>", "<mask>", "<cls>", *words, *"ATCGN"]
        config = transformers.EsmConfig(
            **{**sizes, "vocab_size": len(tokens)},
            max_position_embeddings=22,
            pad_token_id=1,
            mask_token_id=2,
            position_embedding_type="absolute",
        )
        return make(folder, config, esm_tokenizer(folder, tokens, eos_token=None, model_max_length=20))
    if architecture == "esm2":
        tokens = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]
        config = transformers.EsmConfig(
            **{**sizes, "vocab_size": 33},
            max_position_embeddings=22,
            pad_token_id=1,
            mask_token_id=32,
            position_embedding_type="rotary",
            token_dropout=True,
        )
        return make(folder, config, esm_tokenizer(folder, tokens, model_max_length=20))
    if not hasattr(transformers, "EsmcConfig"):
        pytest.skip("this version of transformers has no ESM C")
    config = transformers.EsmcConfig(**SIZES, num_key_value_heads=2, head_dim=16, max_position_embeddings=24)
    return make(folder, config, transformers.EsmcTokenizer())
