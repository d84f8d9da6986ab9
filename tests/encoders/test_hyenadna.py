"""HyenaDNA against the published code's own outputs, and what its encoder does with genes and with broken weights."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from dnaclip.encoders import HyenaDna, HyenaDnaConfig, HyenaDnaEncoder, load_hyenadna, save_hyenadna
from dnaclip.encoders._hyenadna import filters
from dnaclip.encoders._hyenadna.batches import batches
from dnaclip.encoders._hyenadna.filters import SpectrumCache, fft_length
from dnaclip.encoders._hyenadna.tokens import tokenize
from dnaclip.encoders._pieces import pieces
from dnaclip.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = os.environ.get("DNACLIP_SHARED_DATA")
GOLDEN = Path(SHARED or "nowhere").parent / "golden" / "hyenadna"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="needs the reference tensors beside DNACLIP_SHARED_DATA")

TINY, TINY_HF = "tiny_d32_l2_lmax1026.ckpt-keys", "tiny_d32_l2_lmax1026.hf-keys"
SMALL = "small_d32_l3_lmax4098.ckpt-keys-checkpointed"
FIRST_BASE = {"none": 0, "sep": 0, "cls_sep": 1}


@cache
def golden() -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    return json.loads((GOLDEN / "cases.json").read_text()), load_file(GOLDEN / "expected.safetensors")


def weights(name: str) -> Path:
    return GOLDEN / f"{name}.safetensors"


def expected_of(name: str) -> Iterator[tuple[str, Any, str, dict[str, torch.Tensor]]]:
    """Sequence, special tokens, name of the case, and its expected float64 tensors."""
    cases, expected = golden()
    model = name.split(".")[0]
    for case in cases["cases"]:
        for special in FIRST_BASE:
            start = f"{model}.{case['id']}.{special}."
            wanted = {key.removeprefix(start): value for key, value in expected.items() if key.startswith(start)}
            if wanted := {key: value for key, value in wanted.items() if "_f64" in key}:
                yield case["sequence"], special, case["id"], wanted


def largest_difference(network: HyenaDna, name: str) -> tuple[float, float]:
    """Over all cases of a model: of the hidden states, and of the vectors."""
    hidden, pooled = [0.0], [0.0]
    for sequence, special, _, wanted in expected_of(name):
        tokens = torch.from_numpy(tokenize(sequence, special)).int()[None]
        with torch.inference_mode():
            found = network(tokens)[0].double()
        first = FIRST_BASE[special]
        got = {
            "hidden_f64": found,
            "hidden_f64_every8": found[::8],
            "pooled_f64": found[first : first + len(sequence)].mean(0),
            "pooled_with_special_f64": found.mean(0),
        }
        for key, value in wanted.items():
            (hidden if "hidden" in key else pooled).append((got[key] - value).abs().max().item())
    return max(hidden), max(pooled)


@needs_golden
@pytest.mark.parametrize("name", [TINY, TINY_HF, SMALL])
def test_float64_repeats_the_published_code(name: str) -> None:
    hidden, pooled = largest_difference(load_hyenadna(weights(name)).double(), name)
    assert hidden < 1e-10
    assert pooled < 1e-10


@needs_golden
@pytest.mark.parametrize("name", [TINY, SMALL])
def test_positions_can_be_computed_in_place_of_the_stored_ones(name: str) -> None:
    hidden, pooled = largest_difference(load_hyenadna(weights(name), keep_tables=False).double(), name)
    assert 1e-10 < hidden < 1e-4
    assert pooled < 1e-5


@needs_golden
@pytest.mark.parametrize("name", [TINY, SMALL])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_float32_stays_near(name: str, device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    network = load_hyenadna(weights(name)).to(device)
    torch.backends.cuda.matmul.allow_tf32 = False
    for sequence, special, _, wanted in expected_of(name):
        encoder = HyenaDnaEncoder(network, special_tokens=special, device=device)
        if len(sequence) <= encoder.piece_length:
            np.testing.assert_allclose(encoder.encode([sequence])[0], wanted["pooled_f64"], atol=3e-5)


@needs_golden
def test_every_stage_repeats_the_published_code() -> None:
    cases, expected = golden()
    network: Any = load_hyenadna(weights(TINY)).double()
    sequence = next(case["sequence"] for case in cases["cases"] if case["id"] == "c0064")
    cache_ = SpectrumCache(0)
    start = "tiny_d32_l2_lmax1026.stages."
    with torch.inference_mode():
        embedded = network.embedding(torch.from_numpy(tokenize(sequence)).int()[None])
        normed = network.layers[0].norm1(embedded)
        mixed = network.layers[0].mixer(normed, network.positions, cache_)
        after = network.layers[0](embedded, network.positions, cache_)
        taps = network.layers[1].mixer.long_filter(network.positions, 333).T
    found = {"embedded": embedded, "block0_norm1": normed, "block0_mixer_out": mixed, "after_block0": after}
    for name, value in found.items():
        torch.testing.assert_close(value[0], expected[f"{start}c0064.{name}_f64"], atol=1e-10, rtol=0)
    torch.testing.assert_close(taps, expected[f"{start}filter_layer1_first333_f64"], atol=1e-10, rtol=0)


@needs_golden
def test_what_is_saved_has_the_published_names(tmp_path: Path) -> None:
    published = load_file(weights(TINY_HF))
    found = load_file(save_hyenadna(load_hyenadna(weights(TINY_HF)), tmp_path / "model.safetensors"))
    assert found.keys() == published.keys() - {"lm_head.weight"}
    assert all(torch.equal(value, published[key]) for key, value in found.items())


@needs_golden
def test_tokens_are_those_of_the_published_tokenizer() -> None:
    cases, _ = golden()
    for case in cases["cases"]:
        for special, ids in case["ids"].items():
            assert tokenize(case["sequence"], special).tolist() == ids
    for example in cases["tokenizer_examples"]:
        assert tokenize(example["text"]).tolist() == example["ids"]


@needs_golden
def test_a_long_sequence_is_the_weighted_mean_of_its_pieces() -> None:
    cases, expected = golden()
    sequence = next(case["sequence"] for case in cases["cases"] if case["id"] == "c2500")
    encoder = HyenaDnaEncoder(load_hyenadna(weights(TINY)), piece_length=1024, device="cpu")
    wanted = expected["tiny_d32_l2_lmax1026.c2500.chunked1024.pooled_f64"]
    np.testing.assert_allclose(encoder.encode([sequence])[0], wanted, atol=3e-5)


@needs_golden
def test_an_original_checkpoint_is_a_pickle_that_cannot_run_code(tmp_path: Path) -> None:
    tensors = load_file(weights(SMALL))
    torch.save({"state_dict": tensors}, tmp_path / "weights.ckpt")
    same = load_hyenadna(tmp_path / "weights.ckpt").state_dict()
    assert all(torch.equal(value, same[key]) for key, value in load_hyenadna(weights(SMALL)).state_dict().items())

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path(tmp_path / "owned").touch, ())

    torch.save({"state_dict": tensors, "evil": Evil()}, tmp_path / "evil.ckpt")
    with pytest.raises(InputError, match="holds more than tensors"):
        load_hyenadna(tmp_path / "evil.ckpt")
    assert not (tmp_path / "owned").exists()


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, torch.Tensor]:
    """Tensors under their published names, with those of an original checkpoint in front."""
    path = save_hyenadna(HyenaDna(HyenaDnaConfig(d_model=8, n_layer=2, l_max=32)), tmp_path / "own.safetensors")
    return {key.replace("hyena.", "model."): value for key, value in load_file(path).items()}


def saved(tensors: dict[str, torch.Tensor], folder: Path) -> Path:
    save_file(tensors, folder / "model.safetensors")
    return folder / "model.safetensors"


MIXER = "model.backbone.layers.1.mixer."


def test_the_names_of_a_published_file_are_understood(stored: dict[str, torch.Tensor], tmp_path: Path) -> None:
    network: Any = load_hyenadna(saved(stored, tmp_path))
    assert network.config == HyenaDnaConfig(d_model=8, n_layer=2, l_max=32)
    torch.testing.assert_close(network.layers[1].mixer.in_proj.weight, stored[MIXER + "in_proj.weight"])


def test_broken_weights_are_refused_by_name(stored: dict[str, torch.Tensor], tmp_path: Path) -> None:
    def refused(match: str, **changes: torch.Tensor | None) -> None:
        tensors = {key: value for key, value in (stored | changes).items() if value is not None}
        with pytest.raises(InputError, match=match):
            load_hyenadna(saved(tensors, tmp_path))

    refused("lacks 1 tensors.*in_proj", **{MIXER + "in_proj.weight": None})
    refused("no HyenaDNA has.*attention", **{MIXER + "attention.weight": torch.ones(2)})
    refused("another shape.*out_proj", **{MIXER + "out_proj.weight": torch.ones(8, 9)})
    refused("NaN or infinite.*norm1", **{"model.backbone.layers.0.norm1.bias": torch.full((8,), torch.nan)})
    refused("no 'backbone.embeddings", **{"model.backbone.embeddings.word_embeddings.weight": None})
    refused("copies of .*freq. differ", **{MIXER + "filter_fn.implicit_filter.3.freq": torch.ones(1, 64)})
    refused(
        "not those of HyenaDNA",
        **{f"model.backbone.layers.{i}.mixer.filter_fn.pos_emb.z": torch.zeros(1, 32, 5) for i in range(2)},
    )


def test_a_cut_or_foreign_file_is_refused(stored: dict[str, torch.Tensor], tmp_path: Path) -> None:
    whole = saved(stored, tmp_path).read_bytes()
    torch.save({"state_dict": stored}, tmp_path / "weights.ckpt")
    for content in (
        whole[:-100],
        whole[:9],
        b"",
        b"<html>not found</html>",
        (tmp_path / "weights.ckpt").read_bytes()[:-50],
    ):
        (tmp_path / "cut").write_bytes(content)
        with pytest.raises(InputError, match="broken, cut off"):
            load_hyenadna(tmp_path / "cut")
    torch.save([1, 2], tmp_path / "list.ckpt")
    with pytest.raises(InputError, match="no 'state_dict'"):
        load_hyenadna(tmp_path / "list.ckpt")


def test_weights_without_tables_need_the_context(stored: dict[str, torch.Tensor], tmp_path: Path) -> None:
    bare = saved({key: value for key, value in stored.items() if "pos_emb" not in key}, tmp_path)
    with pytest.raises(InputError, match="context is unknown"):
        load_hyenadna(bare)
    config = tmp_path / "config.json"
    sizes = {"d_model": 8, "n_layer": 2, "d_inner": 32}
    config.write_text(json.dumps(sizes | {"max_seq_len": 32}))
    assert load_hyenadna(bare, config=config).config.l_max == 32
    config.write_text(json.dumps(sizes | {"n_layer": 8, "layer": {"l_max": 32}}))
    with pytest.raises(InputError, match="different models"):
        load_hyenadna(bare, config=config)
    config.write_text("{}")
    with pytest.raises(InputError, match="as a config"):
        load_hyenadna(bare, config=config)


@pytest.fixture(scope="module")
def encoder() -> HyenaDnaEncoder:
    return HyenaDnaEncoder.untrained(HyenaDnaConfig(d_model=16, n_layer=2, l_max=300), device="cpu")


def sequences(*lengths: int) -> list[str]:
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(list("ACGT"), length)) for length in lengths]


def test_a_vector_does_not_depend_on_its_company(encoder: HyenaDnaEncoder) -> None:
    genes = sequences(5, 290, 120, 119, 700, 118, 1)
    together = encoder.encode([*genes, genes[1]])
    np.testing.assert_allclose(together[:-1], [encoder.encode([gene])[0] for gene in genes], atol=2e-6)
    np.testing.assert_array_equal(together[1], together[-1])
    assert together.dtype == np.float32
    small = HyenaDnaEncoder(encoder._network, device="cpu", bases_per_batch=1)
    np.testing.assert_allclose(small.encode(genes), together[:-1], atol=2e-6)


def test_case_is_ignored_and_seeds_repeat(encoder: HyenaDnaEncoder) -> None:
    gene = sequences(100)[0]
    np.testing.assert_array_equal(encoder.encode([gene]), encoder.encode([gene.lower()]))
    state = torch.get_rng_state()
    again = HyenaDnaEncoder.untrained(encoder.config, device="cpu")
    other = HyenaDnaEncoder.untrained(encoder.config, device="cpu", rng=1)
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_array_equal(encoder.encode([gene]), again.encode([gene]))
    assert not np.allclose(encoder.encode([gene]), other.encode([gene]))


def test_bfloat16_is_near_float32(encoder: HyenaDnaEncoder) -> None:
    genes = sequences(250, 40)
    exact = encoder.encode(genes)
    low = HyenaDnaEncoder(encoder._network, device="cpu", precision="bf16-mixed").encode(genes)
    cosine = (exact * low).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(low, axis=1)
    assert cosine.min() > 0.9999
    assert not np.array_equal(exact, low)


def test_out_of_memory_halves_the_batch(encoder: HyenaDnaEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    genes = sequences(*[50] * 8)
    wanted = encoder.encode(genes)
    whole = HyenaDna.forward

    def crowded(self: HyenaDna, tokens: torch.Tensor, cache_: SpectrumCache | None = None) -> torch.Tensor:
        if len(tokens) > 2:
            raise torch.OutOfMemoryError
        return whole(self, tokens, cache_)

    monkeypatch.setattr(HyenaDna, "forward", crowded)
    np.testing.assert_allclose(HyenaDnaEncoder(encoder._network, device="cpu").encode(genes), wanted, atol=2e-6)

    def full(self: HyenaDna, tokens: torch.Tensor, cache_: SpectrumCache | None = None) -> torch.Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(HyenaDna, "forward", full)
    with pytest.raises(InputError, match="not enough memory for a piece of 50 bases.*piece_length=25"):
        encoder.encode(genes)


@pytest.mark.parametrize(
    ("genes", "match"),
    [
        ("ACGT", "single string"),
        (["ACGT", ""], "Sequence 1"),
        (["ACGT", None], "Sequence 1"),
        (["MKVLLISSAG"], "does not look like DNA"),
    ],
)
def test_what_is_no_dna_is_refused(encoder: HyenaDnaEncoder, genes: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        encoder.encode(genes)


def test_wrong_options_are_refused(encoder: HyenaDnaEncoder) -> None:
    network = encoder._network
    with pytest.raises(InputError, match="special_tokens"):
        HyenaDnaEncoder(network, special_tokens="bos", device="cpu")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at most 299 bases"):
        HyenaDnaEncoder(network, special_tokens="sep", piece_length=300, device="cpu")
    with pytest.raises(InputError, match="bases_per_batch"):
        HyenaDnaEncoder(network, bases_per_batch=0, device="cpu")
    with pytest.raises(InputError, match="n_layer=0"):
        HyenaDnaConfig(n_layer=0)
    with pytest.raises(InputError, match="301 tokens"):
        network(torch.full((1, 301), 7))


def test_no_genes_give_no_vectors(encoder: HyenaDnaEncoder) -> None:
    assert encoder.encode([]).shape == (0, 16)


def test_fourier_lengths_fit_and_are_few() -> None:
    lengths = range(1, 5000)
    found = {fft_length(length) for length in lengths}
    assert all(fft_length(length) >= 2 * length - 1 for length in lengths)
    assert len(found) < 60


def test_pieces_cover_every_base_once() -> None:
    lengths = [10, 3, 25]
    cut = pieces(lengths, 10, even=False)
    assert [len(piece) for piece in cut] == [3, 5, 10, 10, 10]
    for i, length in enumerate(lengths):
        own = sorted((p.start, p.stop) for p in cut if p.string == i)
        assert own[0][0] == 0
        assert own[-1][1] == length
        assert all(a[1] == b[0] for a, b in zip(own, own[1:], strict=False))
    made = batches(cut, bases=20, n_special=0)
    assert [piece for batch in made for piece in batch] == cut
    assert all(len(batch) == 1 or len(batch) * max(map(len, batch)) <= 20 for batch in made)


def test_the_cache_keeps_to_its_limit(encoder: HyenaDnaEncoder) -> None:
    network: Any = encoder._network
    filter_ = network.layers[0].mixer.long_filter
    size = filter_(network.positions, 32).shape[0] * 33 * 8
    cache_ = SpectrumCache(2 * size)
    first = cache_.spectrum(0, filter_, network.positions, 64)
    assert cache_.spectrum(0, filter_, network.positions, 64) is first
    for layer in (1, 2):
        cache_.spectrum(layer, filter_, network.positions, 64)
    assert cache_.spectrum(0, filter_, network.positions, 64) is not first
    with pytest.raises(InputError, match="limit"):
        SpectrumCache(-1)


def test_long_convolutions_are_done_by_parts(encoder: HyenaDnaEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    genes = sequences(290, 120, 5)
    whole = encoder.encode(genes)
    sizes = set()
    transform = torch.fft.rfft

    def counted(v: torch.Tensor, n: int) -> torch.Tensor:
        sizes.add(v.shape[-2])
        return transform(v, n=n)

    monkeypatch.setattr(torch.fft, "rfft", counted)
    monkeypatch.setattr(filters, "TRANSFORMED", 5000)
    np.testing.assert_allclose(encoder.encode(genes), whole, atol=2e-6)
    assert {7, 2} <= sizes  # of 16 channels, 5000 // 640 at a time for the longest
