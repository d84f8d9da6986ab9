"""Frozen transformers as encoders: against a plain forward pass, and everything that could be half loaded or run code."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from dnaclip._errors import DownloadError, InputError, MissingDependencyError
from dnaclip.encoders import HuggingFaceEncoder
from dnaclip.encoders._huggingface import loading
from dnaclip.encoders._huggingface.encoder import _takes_mask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Models = Callable[[str], Path]

pytest.importorskip("transformers")
DNA = ["bert", "big_bird", "modernbert", "nucleotide_transformer"]
RNG = np.random.default_rng(0)
SEQUENCES = ["".join(RNG.choice(list("ACGT"), n)) for n in (5, 40, 300, 77)]
SEQUENCES += [SEQUENCES[1], "acgtacgtnn"]


def plain_mean(folder: Path, string: str, layer: int | None = None) -> np.ndarray:
    """The mean over tokens but special ones, as the model's page would have it done, for a string that fits."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = tokenizer(string, return_tensors="pt")
    n = len(tokenizer(string, add_special_tokens=False)["input_ids"])
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        model = AutoModel.from_pretrained(folder).eval()
        output = model(**{k: found[k] for k in ("input_ids", "attention_mask")}, output_hidden_states=True)
    hidden = output.last_hidden_state if layer is None else output.hidden_states[layer]
    return hidden[0, 1 : 1 + n].mean(0).numpy()  # each of these has one special token in front


@pytest.mark.parametrize("architecture", DNA)
def test_vectors_are_those_of_a_plain_forward_pass(tiny_models: Models, architecture: str) -> None:
    folder = tiny_models(architecture)
    encoder = HuggingFaceEncoder(folder, device="cpu")
    assert encoder.dimension == 32
    # Upper case and not, and padded by the longer one.
    vectors = encoder.encode([SEQUENCES[1], SEQUENCES[1][:20].lower()])
    assert vectors.dtype == np.float32
    for vector, string in zip(vectors, (SEQUENCES[1], SEQUENCES[1][:20]), strict=True):
        np.testing.assert_allclose(vector, plain_mean(folder, string), atol=1e-5)


@pytest.mark.parametrize("architecture", DNA)
def test_a_vector_depends_on_its_string_alone(tiny_models: Models, architecture: str) -> None:
    encoder = HuggingFaceEncoder(tiny_models(architecture), device="cpu")
    together = encoder.encode(SEQUENCES)
    alone = np.concatenate([encoder.encode([sequence]) for sequence in SEQUENCES])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_array_equal(encoder.encode(SEQUENCES[::-1]), together[::-1])
    np.testing.assert_array_equal(together[1], together[4])
    assert np.isfinite(together).all()
    assert abs(together[1] - together[2]).max() > 0.01
    small = HuggingFaceEncoder(tiny_models(architecture), device="cpu", tokens_per_batch=1)
    np.testing.assert_allclose(small.encode(SEQUENCES), together, atol=1e-5)


def test_long_strings_are_cut_and_pieces_weigh_by_their_tokens(tiny_models: Models) -> None:
    folder = tiny_models("nucleotide_transformer")
    encoder = HuggingFaceEncoder(folder, device="cpu", max_tokens=8)  # one special token, so seven words
    words = ["".join(RNG.choice(list("ACGT"), 6)) for _ in range(10)]
    pieces = [plain_mean(folder, "".join(words[start:stop])) for start, stop in ((0, 5), (5, 10))]
    np.testing.assert_allclose(encoder.encode(["".join(words)])[0], np.mean(pieces, axis=0), atol=1e-5)
    pieces = [plain_mean(folder, "".join(words[start:stop])) for start, stop in ((0, 4), (4, 9))]
    expected = np.average(pieces, axis=0, weights=[4, 5])
    np.testing.assert_allclose(encoder.encode(["".join(words[:9])])[0], expected, atol=1e-5)


@pytest.mark.parametrize("layer", [0, 1, 2, -2])
def test_any_layer_can_be_chosen(tiny_models: Models, layer: int) -> None:
    folder = tiny_models("bert")
    vector = HuggingFaceEncoder(folder, layer=layer, device="cpu").encode([SEQUENCES[1]])[0]
    np.testing.assert_allclose(vector, plain_mean(folder, SEQUENCES[1], layer), atol=1e-5)


def test_lower_precision_changes_little(tiny_models: Models) -> None:
    whole = HuggingFaceEncoder(tiny_models("bert"), device="cpu").encode(SEQUENCES)
    mixed = HuggingFaceEncoder(tiny_models("bert"), device="cpu", precision="bf16-mixed").encode(SEQUENCES)
    cosine = (whole * mixed).sum(1) / np.linalg.norm(whole, axis=1) / np.linalg.norm(mixed, axis=1)
    assert cosine.min() > 0.999
    assert (whole != mixed).any()


def test_text_is_left_as_it_is(tiny_models: Models) -> None:
    encoder = HuggingFaceEncoder(tiny_models("bert"), kind="text", device="cpu")
    with pytest.raises(InputError, match="Most of 'acgt' is not known to the model, which reads text"):
        encoder.encode(["acgt"])
    with pytest.raises(InputError, match="Most of"):
        encoder.check(["acgt"])
    encoder.check(["ACGT"])


def test_a_loaded_model_is_read_as_from_its_folder(tiny_models: Models) -> None:
    from transformers import AutoModel, AutoTokenizer, BertForMaskedLM

    folder = tiny_models("bert")
    expected = HuggingFaceEncoder(folder, device="cpu").encode(SEQUENCES)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        encoder = HuggingFaceEncoder(AutoModel.from_pretrained(folder), tokenizer=tokenizer, device="cpu")
        masked = BertForMaskedLM(encoder._network.config)
    assert encoder.name == "BertModel"
    np.testing.assert_allclose(encoder.encode(SEQUENCES), expected, atol=1e-6)
    masked.bert.load_state_dict(encoder._network.state_dict(), strict=False)  # but for the pooler
    headed = HuggingFaceEncoder(masked, tokenizer=tokenizer, device="cpu", name="mine")
    assert headed.name == "mine"
    np.testing.assert_allclose(headed.encode(SEQUENCES), expected, atol=1e-6)
    with pytest.raises(InputError, match="come with its tokenizer: got BertForMaskedLM and tokenizer=NoneType"):
        HuggingFaceEncoder(masked)
    with pytest.raises(InputError, match="must be one of transformers, with a config.*got Identity"):
        HuggingFaceEncoder(torch.nn.Identity(), tokenizer=tokenizer)


def test_a_model_without_a_mask_never_sees_the_padding_of_others(
    tiny_models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = HuggingFaceEncoder(tiny_models("bert"), device="cpu")
    widths, whole = [], encoder._network.forward

    def maskless(input_ids: torch.Tensor) -> Any:
        assert (input_ids != encoder._tokenizer.pad_token_id).all()
        widths.append(len(input_ids))
        return whole(input_ids=input_ids)

    monkeypatch.setattr(encoder._network, "forward", maskless)
    encoder._masks = _takes_mask(encoder._network)
    expected = HuggingFaceEncoder(tiny_models("bert"), device="cpu").encode(SEQUENCES)
    np.testing.assert_allclose(encoder.encode(SEQUENCES), expected, atol=1e-5)
    assert len(widths) > 1


def test_padding_to_a_multiple_changes_nothing(tiny_models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = HuggingFaceEncoder(tiny_models("bert"), device="cpu", multiple_of=8)
    widths, whole = set(), encoder._hidden

    def hidden(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        widths.add(ids.shape[1] % 8)
        return whole(ids, mask)

    monkeypatch.setattr(encoder, "_hidden", hidden)
    expected = HuggingFaceEncoder(tiny_models("bert"), device="cpu").encode(SEQUENCES)
    np.testing.assert_allclose(encoder.encode(SEQUENCES), expected, atol=1e-5)
    assert widths == {0}
    assert encoder.settings["multiple_of"] == 8
    monkeypatch.setattr(encoder, "_hidden", lambda ids, mask: whole(ids, mask)[:, ::8])
    with pytest.raises(InputError, match="has 1 states for 8 tokens.*choose another layer"):
        encoder.encode(["ACGT"])


def test_no_strings_give_no_rows(tiny_models: Models) -> None:
    assert HuggingFaceEncoder(tiny_models("bert"), device="cpu").encode([]).shape == (0, 32)


def test_batches_are_halved_when_the_memory_does_not_suffice(
    tiny_models: Models, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = HuggingFaceEncoder(tiny_models("bert"), device="cpu")
    expected, whole = encoder.encode(SEQUENCES), encoder._sums

    def small(batch: list[Any], tokens: Any) -> np.ndarray:
        if len(batch) > 2:
            raise torch.OutOfMemoryError
        return whole(batch, tokens)

    monkeypatch.setattr(encoder, "_sums", small)
    np.testing.assert_allclose(encoder.encode(SEQUENCES), expected, atol=1e-5)
    assert "out of memory: going on with" in caplog.text

    def never(*_: object) -> np.ndarray:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(encoder, "_sums", never)
    with pytest.raises(InputError, match="not enough memory for a piece of .* tokens.*smaller max_tokens"):
        encoder.encode(SEQUENCES)


@pytest.mark.parametrize(
    ("strings", "message"),
    [
        ("ACGT", "single string"),
        (["ACGT", ""], "1 of 2 strings are blank or not a string: number 1 is ''"),
        ([None], "number 0 is None"),
        (["!!!!!!"], "not known to the model, which reads dna"),
    ],
)
def test_other_strings_are_refused(tiny_models: Models, strings: Any, message: str) -> None:
    encoder = HuggingFaceEncoder(tiny_models("bert"), device="cpu")
    with pytest.raises(InputError, match=message):
        encoder.encode(strings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "rna"}, "kind='rna' is not known"),
        ({"precision": "8"}, "precision='8' is not known"),
        ({"max_tokens": 0}, "max_tokens must be a whole number"),
        ({"multiple_of": 0}, "multiple_of must be a whole number"),
        ({"max_tokens": 33}, "max_tokens=33, but .* reads at most 32 tokens"),
        ({"max_tokens": 2}, "leaves no room beside the 2 special tokens"),
        ({"layer": 3}, "has 2 layers, so -2-1 to 2"),
        ({"layer": True}, "layer=True is not there"),
        ({"trust_remote_code": "another/model"}, "is not the model that is loaded"),
    ],
)
def test_other_options_are_refused(tiny_models: Models, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        HuggingFaceEncoder(tiny_models("bert"), **{"device": "cpu", **options})


def copy_of(folder: Path, target: Path, **changes: Any) -> Path:
    """Copy a model, with changes to its config."""
    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps({**config, **changes}))
    return target


CODE = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
from transformers import BertConfig, BertModel
class MyConfig(BertConfig):
    pass
class MyModel(BertModel):
    config_class = MyConfig
"""


@pytest.fixture
def with_code(tiny_models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that brings its own code, which leaves a file named `ran` beside itself."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = copy_of(
        tiny_models("bert"),
        tmp_path / "withcode",
        auto_map={"AutoConfig": "mine.MyConfig", "AutoModel": "mine.MyModel"},
    )
    (folder / "mine.py").write_text(CODE)
    return folder


def test_code_of_a_model_does_not_run(with_code: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"brings Python code of its own \('mine.MyConfig', 'mine.MyModel'\).*by name"):
        HuggingFaceEncoder(with_code, device="cpu")
    assert list(tmp_path.rglob("ran")) == []


def test_code_of_a_model_runs_when_its_name_is_repeated(
    with_code: Path, tmp_path: Path, tiny_models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = HuggingFaceEncoder(with_code, trust_remote_code=str(with_code), device="cpu")
    assert type(encoder._network).__name__ == "MyModel"
    assert f"Running the code of the model {with_code}" in caplog.text
    assert len(list(tmp_path.rglob("ran"))) > 0
    expected = HuggingFaceEncoder(tiny_models("bert"), device="cpu").encode(SEQUENCES)
    np.testing.assert_allclose(encoder.encode(SEQUENCES), expected, atol=1e-6)


@pytest.mark.parametrize("revision", [None, "main", "a" * 39, "G" * 40])
def test_code_from_the_hub_needs_a_commit(revision: str | None) -> None:
    settings = {"auto_map": {"AutoModel": "mine.MyModel"}}
    with pytest.raises(InputError, match="revision= must be a whole commit"):
        loading._check_code("owner/model", settings, revision, "owner/model")
    assert loading._check_code("owner/model", settings, "0123456789" * 4, "owner/model")


def test_trust_does_nothing_for_a_model_without_code(tiny_models: Models) -> None:
    folder = tiny_models("bert")
    assert not loading._check_code(str(folder), {}, None, str(folder))


def test_a_masked_language_model_is_read_where_its_code_has_no_other() -> None:
    assert loading._architecture({"auto_map": {"AutoModelForMaskedLM": "x.Y"}}) == "AutoModelForMaskedLM"
    assert loading._architecture({"auto_map": {"AutoModelForMaskedLM": "x.Y", "AutoModel": "x.Z"}}) == "AutoModel"


def test_a_masked_language_model_of_others_gives_its_hidden_states(
    with_code: Path, tiny_models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked = "from transformers import BertForMaskedLM\nclass MyMasked(BertForMaskedLM):\n    config_class = MyConfig\n"
    (with_code / "mine.py").write_text(CODE + masked)
    config = json.loads((with_code / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "mine.MyConfig", "AutoModelForMaskedLM": "mine.MyMasked"}
    (with_code / "config.json").write_text(json.dumps(config))
    encoder = HuggingFaceEncoder(with_code, trust_remote_code=str(with_code), device="cpu")
    assert type(encoder._network).__name__ == "MyMasked"
    expected = HuggingFaceEncoder(tiny_models("bert"), device="cpu").encode(SEQUENCES)
    np.testing.assert_allclose(encoder.encode(SEQUENCES), expected, atol=1e-5)


def test_weights_that_are_missing_or_do_not_fit_are_refused(tiny_models: Models, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = copy_of(tiny_models("bert"), tmp_path / "a")
    weights = load_file(folder / "model.safetensors")
    kept = {key: value for key, value in weights.items() if "layer.1.attention" not in key}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"do not fit its architecture: \d+ tensors are missing.*layer\.1\.attention"):
        HuggingFaceEncoder(folder, device="cpu")
    # Those of the head play no part.
    kept = {key: value for key, value in weights.items() if "pooler" not in key}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    assert HuggingFaceEncoder(folder, device="cpu").dimension == 32
    wider = copy_of(tiny_models("bert"), tmp_path / "b", intermediate_size=128)
    with pytest.raises(InputError, match=r"do not fit its architecture|cannot read the model"):
        HuggingFaceEncoder(wider, device="cpu")


def test_broken_and_pickled_weights_are_refused(tiny_models: Models, tmp_path: Path) -> None:
    folder = copy_of(tiny_models("bert"), tmp_path / "a")
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[:-100])
    with pytest.raises(InputError, match="cannot read the model"):
        HuggingFaceEncoder(folder, device="cpu")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"cannot read the model.*model\.safetensors alone"):
        HuggingFaceEncoder(folder, device="cpu")


def test_a_model_that_is_nowhere_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DNACLIP_OFFLINE", "1")
    with pytest.raises(DownloadError, match="no model 'owner/no-such': it is no folder, and the hub gave none"):
        HuggingFaceEncoder("owner/no-such", device="cpu")
    with pytest.raises(DownloadError, match=r"no config\.json"):
        HuggingFaceEncoder(tmp_path, device="cpu")


def test_loading_is_silent(tiny_models: Models, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled(), logging.get_verbosity()
    HuggingFaceEncoder(tiny_models("bert"), device="cpu").encode(SEQUENCES)
    assert (logging.is_progress_bar_enabled(), logging.get_verbosity()) == before
    assert capfd.readouterr() == ("", "")


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match=r"'owner/model' needs.*pip install 'dnaclip\[huggingface\]'"):
        HuggingFaceEncoder("owner/model", device="cpu")
