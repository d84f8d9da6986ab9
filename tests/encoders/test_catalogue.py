"""Encoders by name: the list, and what a name makes."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import dnaclip
from dnaclip._errors import DownloadError, InputError, MissingKeyError
from dnaclip.datasets import list_assets
from dnaclip.encoders import CompositionEncoder, VectorTable, _catalogue
from dnaclip.encoders._catalogue import catalogue
from dnaclip.encoders._load import find_encoder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_list() -> None:
    table = dnaclip.encoders.list()
    assert table.index.is_unique
    assert list(table.columns) == ["kind", "dimension", "context", "licence", "extra", "note"]
    assert set(table["kind"]) == {"dna", "protein", "text", "gene"}
    assert (table["dimension"] > 0).all()
    assert (table["licence"] != "").all()
    assert table.loc["composition", "dimension"] == CompositionEncoder().dimension
    for name in table.index[table.index.str.startswith("nucleotide-transformer")]:
        licence = "InstaDeep, non-commercial" if "-v3-" in name else "CC-BY-NC-SA-4.0"
        assert table.loc[name, "licence"] == licence
        assert "Not for commercial use" in str(table.loc[name, "note"])
    assert "trust_remote_code='zhihan1996/DNABERT-2-117M'" in str(table.loc["dnabert-2", "note"])
    named = ["enformer", "caduceus-ph", "caduceus-ps", "nucleotide-transformer-v3-8m", "nucleotide-transformer-v3-650m"]
    assert table.loc[named, "dimension"].tolist() == [3072, 256, 512, 256, 1536]
    assert "mamba-ssm" in str(table.loc["caduceus-ph", "note"])


def test_every_name_has_a_maker_and_its_files_are_registered() -> None:
    assets = list_assets()
    for name, entry in catalogue().items():
        assert entry.name == name
        assert callable(getattr(dnaclip.encoders, entry.maker))
        if entry.maker == "HyenaDnaEncoder":
            assert assets.loc[entry.options["model"], "dimension"] == entry.dimension
        if "asset" in entry.options:
            assert assets.loc[entry.options["asset"], "kind"] == "encoder"
    weights = assets[assets.index.str.startswith("hyenadna")]
    assert len(weights) == 7
    assert weights["url"].str.endswith("-hf/resolve/main/model.safetensors").all()


def test_names_make_encoders_with_options(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}

    def make(
        extra: int,
        model: str = "",
        name: str = "",
        path: str = "",
        member: str | None = None,
        max_tokens: int = 0,
        multiple_of: int = 0,
    ) -> None:
        given: dict[str, Any] = {"extra": extra, "model": model, "name": name, "path": path, "member": member}
        given.update(max_tokens=max_tokens, multiple_of=multiple_of)
        made.update({key: value for key, value in given.items() if value})

    for maker in {entry.maker for entry in catalogue().values()}:
        monkeypatch.setattr(dnaclip.encoders, maker, make, raising=False)
    monkeypatch.setattr("dnaclip.datasets._fetch.fetch", lambda name: f"fetched {name}")
    expected: dict[str, dict[str, Any]] = {
        "hyenadna-large-1m": {"model": "hyenadna-large-1m"},
        "esm2-650m": {"model": "facebook/esm2_t33_650M_UR50D", "name": "esm2-650m"},
        "nucleotide-transformer-v2-50m": {
            "model": "InstaDeepAI/nucleotide-transformer-v2-50m-multi-species",
            "name": "nucleotide-transformer-v2-50m",
        },
        "nucleotide-transformer-v3-8m": {
            "model": "InstaDeepAI/NTv3_8M_pre",
            "name": "nucleotide-transformer-v3-8m",
            "max_tokens": 131072,
            "multiple_of": 128,
        },
        "enformer": {"model": "EleutherAI/enformer-official-rough"},
        "evo2-7b": {"model": "evo2_7b"},
        "text-embedding-3-large": {"model": "text-embedding-3-large"},
        "genept-ada": {
            "path": "fetched genept-v2",
            "member": "GenePT_gene_embedding_ada_text.pickle",
            "name": "genept-ada",
        },
        "gene2vec": {"path": "fetched gene2vec", "name": "gene2vec"},
        "owner/model": {"model": "owner/model"},
    }
    for name, options in expected.items():
        made.clear()
        dnaclip.encoders.load(name, extra=1)
        assert made == dict(options, extra=1)


def test_hyenadna_is_fetched_and_trusted_at_first_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    from dnaclip.encoders import HyenaDna, HyenaDnaConfig, HyenaDnaEncoder, save_hyenadna

    with torch.random.fork_rng(devices=[]):
        network = HyenaDna(HyenaDnaConfig(d_model=8, n_layer=2, l_max=64))
    file = tmp_path / "mirror" / "hyenadna-tiny-1k.safetensors"
    file.parent.mkdir()
    save_hyenadna(network, file)
    monkeypatch.setenv("DNACLIP_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("DNACLIP_DATA_DIR", str(tmp_path / "cache"))
    caplog.set_level("INFO")
    encoder = dnaclip.encoders.load("hyenadna-tiny-1k", device="cpu", special_tokens="sep")
    assert "No checksum of hyenadna-tiny-1k.safetensors is published" in caplog.text
    assert "hyenadna-tiny-1k: licence BSD-3-Clause." in caplog.text
    expected = HyenaDnaEncoder(network, device="cpu", special_tokens="sep").encode(["ACGT"])
    np.testing.assert_allclose(encoder.encode(["ACGT"]), expected, atol=1e-6)
    (tmp_path / "cache" / file.name).unlink()
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(DownloadError, match="compared with the first copy that came to this machine"):
        dnaclip.encoders.load("hyenadna-tiny-1k", device="cpu")


def test_a_licence_that_forbids_commerce_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dnaclip.encoders, "HuggingFaceEncoder", lambda model, name: None, raising=False)
    dnaclip.encoders.load("nucleotide-transformer-v2-50m")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "licence CC-BY-NC-SA-4.0. Not for commercial use." in caplog.text


def test_files_and_folders_make_encoders(tmp_path: Path) -> None:
    (tmp_path / "v.pickle").write_bytes(pickle.dumps({"A": [1.0, 2.0]}))
    table = dnaclip.encoders.load(str(tmp_path / "v.pickle"))
    assert isinstance(table, VectorTable)
    assert find_encoder(str(table.save(tmp_path / "t.safetensors")))[0] == "read_vectors"
    (tmp_path / "w.safetensors").write_bytes(b"weights")
    assert find_encoder(str(tmp_path / "w.safetensors"))[0] == "HyenaDnaEncoder"
    (tmp_path / "folder").mkdir()
    assert find_encoder(str(tmp_path / "folder"))[0] == "read_vectors"
    (tmp_path / "folder" / "config.json").touch()
    assert find_encoder(str(tmp_path / "folder"))[0] == "HuggingFaceEncoder"


def test_a_folder_of_a_model_is_loaded(tiny_models: Callable[[str], Path]) -> None:
    encoder = dnaclip.encoders.load(str(tiny_models("bert")), device="cpu")
    assert encoder.encode(["ACGT"]).shape == (1, 32)
    encoder = dnaclip.encoders.load(str(tiny_models("esm2")), device="cpu", kind="protein")
    assert np.isfinite(encoder.encode(["MKL"])).all()


@pytest.mark.parametrize(("name", "near"), [("HyenaDNA-large", "'hyenadna-large-1m'"), ("esm-2-650m", "'esm2-650m'")])
def test_a_name_that_is_not_known_shows_near_ones(name: str, near: str) -> None:
    with pytest.raises(MissingKeyError, match=f"no encoder '{name}'. Near names: .*{near}"):
        dnaclip.encoders.load(name)
    with pytest.raises(MissingKeyError, match=r"no encoder 'xyz'\. dnaclip\.encoders\.list"):
        dnaclip.encoders.load("xyz")


def test_options_that_are_not_known_are_named() -> None:
    with pytest.raises(InputError, match=r"CompositionEncoder has no such option: 'colour'. It has: none\."):
        dnaclip.encoders.load("composition", colour="red")
    with pytest.raises(
        InputError, match="ProteinEncoder has no such option: 'colour'. It has: 'device', 'input', 'layer'"
    ):
        dnaclip.encoders.load("esm2-8m", colour="red", layer=2)


def test_the_list_needs_nothing_heavy() -> None:
    code = (
        "import sys, dnaclip; dnaclip.encoders.list(); print({'torch', 'transformers', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "set()"


def test_composition_is_that_of_the_function() -> None:
    sequences = ["ATGGCC" * 20, "ATATAT", "ATGGCC" * 20]
    encoder = CompositionEncoder()
    vectors = encoder.encode(sequences)
    bases = dnaclip.encoders.encode_bases(sequences)
    np.testing.assert_array_equal(
        vectors, dnaclip.encoders.composition(bases, dnaclip.encoders.open_reading_frames(bases))
    )
    assert encoder.encode([]).shape == (0, 831)
    with pytest.raises(InputError, match="IUPAC"):
        encoder.check(["ACGT", "AC-GT"])
    assert _catalogue.NON_COMMERCIAL in str(dnaclip.encoders.list().loc["esmc-600m", "note"])
