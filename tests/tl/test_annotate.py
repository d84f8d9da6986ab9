"""Annotating unknown genes by DNA, with and without alignment."""

from __future__ import annotations

import json
import shutil
import zlib
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import dnaclip
from dnaclip._errors import InputError, LanguageModelError, MissingKeyError
from dnaclip.datasets import EmbeddingTable
from dnaclip.llm._prompts import PROMPTS
from dnaclip.models import DnaClip
from dnaclip.models._annotation.calibration import Calibration
from dnaclip.tl import annotate
from dnaclip.tl._annotation.queries import read_queries
from dnaclip.tl._annotation.summary import extractive_summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UBIQUITIN = (
    "ATGCAGATTTTTGTGAAAACCCTGACCGGCAAAACCATTACCCTGGAAGTGGAACCGAGCGATACCATTGAAAACGTGAAAGCGAAAATTCAGGATAAAGAA"
    "GGCATTCCGCCGGATCAGCAGCGCCTGATTTTTGCGGGCAAACAGCTGGAAGATGGCCGCACCCTGAGCGATTATAACATTCAGAAAGAAAGCACCCTGCAT"
    "CTGGTGCTGCGCCTGCGCGGCGGC"
)
needs_diamond = pytest.mark.skipif(shutil.which("diamond") is None, reason="diamond is not installed")


class Words:
    """Stands in for the language model: the vector of a text is the sum of its words'."""

    def encode(self, texts: list[str], **_: Any) -> np.ndarray:
        def vector(word: str) -> np.ndarray:
            return np.random.default_rng(zlib.crc32(word.encode())).normal(size=384)

        vectors = np.array([sum(vector(word) for word in text.lower().split()) for text in texts])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> DnaClip:
    model = dnaclip.models.load_pretrained()
    model.text_encoder = Words()  # type: ignore[assignment]
    return model


@pytest.fixture(scope="module")
def human() -> EmbeddingTable:
    """Every fiftieth gene of the human table, and those that the tests name."""
    table = dnaclip.datasets.load_table("human")
    named = table.genes["symbol"].isin(
        [
            "UBB",
            "UBC",
            "CD3D",
            "CD3E",
            "CD79A",
            "MS4A1",
            "NKG7",
            "GNLY",
            "LYZ",
            "S100A8",
            "FCER1A",
            "CST3",
            "ACTB",
            "GAPDH",
        ]
    )
    rows = np.flatnonzero(named | (np.arange(len(table)) % 50 == 0))
    sides = {side: table.vectors(side)[rows] for side in table.sides}
    genes = table.genes.iloc[rows].reset_index(drop=True)
    return EmbeddingTable(genes, sides, table.species, table.taxon_id, table.model, table.model_sha256)


@pytest.fixture(autouse=True)
def _loaded_once(model: DnaClip, human: EmbeddingTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dnaclip.models, "load_pretrained", lambda _=None: model)
    monkeypatch.setattr(dnaclip.datasets, "load_table", lambda *_: human)


@pytest.fixture(scope="module")
def known(families: tuple[pd.DataFrame, np.ndarray]) -> pd.DataFrame:
    """Four members of each of twelve families."""
    pairs, _ = families
    words = [
        "kinase",
        "helicase",
        "channel",
        "receptor",
        "ligase",
        "protease",
        "histone",
        "actin",
        "myosin",
        "lectin",
        "globin",
        "kinesin",
    ]
    table = pairs.groupby("family").head(4)
    return table.assign(text=[f"{words[family]}. A protein of family {words[family]}." for family in table["family"]])


@pytest.fixture(scope="module")
def unknown(families: tuple[pd.DataFrame, np.ndarray]) -> pd.DataFrame:
    return families[0].groupby("family").tail(1).rename(columns={"gene_id": "gene"})


def test_a_known_protein_is_found_in_the_human_table() -> None:
    table = annotate({"mystery": UBIQUITIN}, n_neighbors=3)
    assert table["rank"].tolist() == [1, 2, 3]
    assert table["symbol"].iloc[0] in ("UBB", "UBC")
    assert table["similarity"].is_monotonic_decreasing
    assert table["confidence"].nunique() == 1
    assert table["confidence"].iloc[0] > 0.5
    assert table["status"].eq("annotated").all()
    assert "ubiquitin" in table["annotation"].iloc[0]
    assert table.attrs["parameters"]["evidence"] == ""


def test_noise_is_left_without_annotation() -> None:
    rng = np.random.default_rng(0)
    noise = ["".join(rng.choice(list("ACGT"), 400)) for _ in range(5)]
    table = annotate(noise, n_neighbors=1, min_confidence=0.7)
    assert table["query"].tolist() == ["gene1", "gene2", "gene3", "gene4", "gene5"]
    assert table["confidence"].max() < 0.7
    assert table["annotation"].eq("").all()
    assert table["status"].eq("no annotation: confidence below 0.7").all()
    assert annotate(noise[:1], n_neighbors=1, min_confidence=0)["annotation"].iloc[0] != ""


@needs_diamond
def test_alignment_decides_where_it_is_strong(known: pd.DataFrame, unknown: pd.DataFrame, model: DnaClip) -> None:
    table = annotate(unknown, candidates=known.rename(columns={"gene_id": "gene"}), evidence="diamond", model=model)
    family = known.set_index("gene_id")["family"]
    first = table[table["rank"] == 1]
    right = family[first["hit"].where(first["hit"] != "", first["gene"])].to_numpy() == unknown["family"].to_numpy()
    aligned = (first["hit"] != "").to_numpy()
    assert aligned.sum() >= 10
    assert right[aligned].all()
    assert (family[first["gene"]].to_numpy() == unknown["family"].to_numpy())[aligned].mean() > 0.9
    assert (first.loc[aligned, "agreement"] > 0.99).mean() > 0.9
    assert first["level"].isin(["protein", "bases", ""]).all()
    assert table.attrs["parameters"]["evidence"].startswith("diamond")
    assert table.groupby("query")["score"].apply(lambda x: x.is_monotonic_decreasing).all()


@needs_diamond
def test_reference_may_differ_from_candidates(known: pd.DataFrame, unknown: pd.DataFrame, model: DnaClip) -> None:
    reference = known.rename(columns={"gene_id": "gene"})
    candidates = reference[["gene", "text"]].drop_duplicates("text")
    table = annotate(
        unknown.head(3), candidates=candidates, reference=reference, evidence="diamond", model=model, n_neighbors=2
    )
    assert set(table["gene"]) <= set(candidates["gene"])
    hits = table["hit"][table["hit"] != ""]
    assert len(hits)
    assert set(hits) <= set(reference["gene"])


@needs_diamond
def test_blocks_change_nothing(known: pd.DataFrame, unknown: pd.DataFrame, model: DnaClip) -> None:
    options: dict[str, Any] = {
        "candidates": known.rename(columns={"gene_id": "gene"}),
        "evidence": "diamond",
        "model": model,
    }
    whole = annotate(unknown.head(6), **options)
    parts = annotate(unknown.head(6), **options, batch_size=4)
    pd.testing.assert_frame_equal(whole, parts, rtol=1e-3)


def test_inputs_of_every_kind_mean_the_same(tmp_path: Path) -> None:
    fasta = tmp_path / "genes.fa"
    fasta.write_text(f">mystery some words\n{UBIQUITIN[:60]}\n{UBIQUITIN[60:]}\n")
    adata = ad.AnnData(np.ones((2, 1), np.float32), var=pd.DataFrame({"sequence": [UBIQUITIN]}, index=["mystery"]))
    inputs = [
        fasta,
        str(fasta),
        {"mystery": UBIQUITIN},
        pd.Series({"mystery": UBIQUITIN}),
        pd.DataFrame({"gene_id": ["mystery"], "sequence": [UBIQUITIN]}),
        adata,
    ]
    for data in inputs:
        found = read_queries(data, sequence_key="sequence", use_rep="dnaclip")
        assert (found.names, found.sequences) == (["mystery"], [UBIQUITIN])
    assert read_queries(UBIQUITIN, sequence_key="sequence", use_rep="dnaclip").names == ["gene1"]


def test_embeddings_of_adata_need_no_sequence(
    tiny_adata: ad.AnnData, human: EmbeddingTable, unchanged: Callable
) -> None:
    dnaclip.tl.embed(tiny_adata, human, modality="text")
    with unchanged(tiny_adata):
        table = annotate(tiny_adata, n_neighbors=1)
    assert len(table) == tiny_adata.n_vars
    assert table["confidence"].isna().all()
    assert (table["symbol"] == table["query"]).mean() > 0.7


def test_texts_of_the_user_take_the_place_of_names() -> None:
    texts = pd.DataFrame({"gene": ["UBB", "UBC"], "text": ["A tag for destruction.", "A tag for destruction."]})
    table = annotate({"mystery": UBIQUITIN}, texts=texts, n_neighbors=2)
    assert table["text"].tolist() == ["A tag for destruction."] * 2
    assert table["annotation"].iloc[0] == "A tag for destruction."


@pytest.mark.parametrize(
    ("sequences", "options", "error", "match"),
    [
        ([], {}, InputError, "no genes"),
        (["ACGT" * 10, ""], {}, InputError, "1 of 2 genes have no sequence.*'gene2'"),
        (pd.Series(["ACGT" * 5] * 2, index=["a", "a"]), {}, InputError, "more than one gene: 'a'"),
        (pd.DataFrame({"x": [1]}), {}, MissingKeyError, "needs the columns"),
        ("no-such-file.fa", {}, InputError, "no file"),
        (["ACGT" * 10], {"evidence": "hmmer"}, InputError, "evidence='hmmer'"),
        (["ACGT" * 10], {"evidence": "diamond"}, InputError, "hold no sequences"),
        (["ACGT" * 10], {"n_neighbors": 0}, InputError, "n_neighbors"),
        (["ACGT" * 10], {"min_confidence": 1.5}, InputError, "min_confidence"),
        (["ACGT" * 10], {"candidates": []}, InputError, "empty list"),
        (["ACGT" * 10], {"candidates": pd.DataFrame({"gene": ["a"]})}, MissingKeyError, "'text' \\(or 'name'\\)"),
        (["ACGT" * 10], {"candidates": 5}, InputError, "got int"),
        (["ACGT" * 10], {"candidates": pd.DataFrame({"gene": [], "text": []})}, InputError, "known genes is empty"),
        (["ACGT" * 10], {"candidates": {"a": "", "b": " "}}, InputError, "None of the 2 known genes has a text"),
        (ad.AnnData(np.ones((1, 2), np.float32)), {}, MissingKeyError, "neither sequences in var"),
        (
            ad.AnnData(np.ones((1, 2), np.float32), varm={"dnaclip": np.full((2, 4), np.nan)}),
            {},
            InputError,
            "No gene of adata has an embedding",
        ),
        (["ACGT" * 10], {"llm": "gpt"}, InputError, "llm must be"),
        (["AC!T" * 10], {}, InputError, "gene1"),
    ],
)
def test_mistakes_are_explained(sequences: Any, options: dict, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        annotate(sequences, **options)


def test_known_genes_of_a_dictionary_are_those_of_a_table() -> None:
    known = {"UBB": "A tag for destruction.", "TP53": "A guardian."}
    table = pd.DataFrame({"gene": list(known), "text": list(known.values())})
    one, other = (annotate({"mystery": UBIQUITIN}, candidates=these, n_neighbors=2) for these in (known, table))
    pd.testing.assert_frame_equal(one, other)


def test_a_table_of_another_model_is_refused(gene_table: Any) -> None:
    with pytest.raises(InputError, match="'toy'.*use one model"):
        annotate({"mystery": UBIQUITIN}, candidates=gene_table)


def test_without_calibration_there_is_no_confidence(model: DnaClip, tmp_path: Path) -> None:
    mine = DnaClip(model.dna, model.text, {**model.config, "name": "mine"}, text_encoder=Words())  # type: ignore[arg-type]
    human = pd.DataFrame({"gene": ["UBB", "TP53"], "name": ["ubiquitin B", "tumor protein p53"]})
    with pytest.warns(UserWarning, match="no calibration for the model 'mine'"):
        table = annotate({"mystery": UBIQUITIN}, candidates=human, model=mine)
    assert table["confidence"].isna().all()
    assert table["status"].eq("annotated").all()
    path = Calibration.load().save(tmp_path / "mine.json")
    assert annotate({"mystery": UBIQUITIN}, candidates=human, model=mine, calibration=path)["confidence"].notna().all()


def answers(messages: list[dict[str, str]]) -> str:
    """Answer each step as a model that goes by the evidence."""
    step = next(name for name, prompt in PROMPTS.items() if prompt == messages[0]["content"])
    data = json.loads(messages[1]["content"].removeprefix("<data>\n").removesuffix("\n</data>"))
    if step == "verify":
        whole = [item["id"] for item in data["evidence"] if "enriched" in item]
        return json.dumps(
            {
                "verdicts": [
                    {"number": claim["number"], "verdict": "supported", "evidence": whole} for claim in data["claims"]
                ]
            }
        )
    claims = [{"claim": "They tag proteins with ubiquitin.", "genes": []}]
    return json.dumps({"name": "Protein tagging", "summary": "Ubiquitin marks proteins.", "claims": claims})


def test_a_language_model_summarises_and_is_checked() -> None:
    table = annotate({"mystery": UBIQUITIN}, llm=answers, min_confidence=0)
    assert table["annotation"].iloc[0] == "Protein tagging. Ubiquitin marks proteins."
    assert table["status"].iloc[0] == "annotated; described by the model, and checked"


def test_a_language_model_of_no_use_leaves_the_quotations() -> None:
    quoted = annotate({"mystery": UBIQUITIN}, min_confidence=0)
    table = annotate({"mystery": UBIQUITIN}, llm=lambda _: "I cannot help.", min_confidence=0)
    assert table["annotation"].tolist() == quoted["annotation"].tolist()
    assert "could not be used" in table["status"].iloc[0]


def test_a_language_model_that_fails_is_not_asked_again() -> None:
    calls = []

    def fail(messages: list[dict[str, str]]) -> str:
        calls.append(messages)
        msg = "The limit of requests is reached."
        raise LanguageModelError(msg)

    with pytest.warns(UserWarning, match="limit of requests"):
        table = annotate({"a": UBIQUITIN, "b": UBIQUITIN}, llm=fail, min_confidence=0)
    assert len(calls) == 1
    assert table["annotation"].ne("").all()


def test_summary_quotes_what_texts_share() -> None:
    texts = [
        "Found in the liver. A kinase that phosphorylates lipids.",
        "A kinase that phosphorylates sugars.",
        "A lipid kinase.",
    ]
    assert extractive_summary(texts, n_sentences=1) == "A kinase that phosphorylates lipids."
    assert extractive_summary([]) == ""
    assert extractive_summary(["One text only."] * 3) == "One text only."
    assert extractive_summary(["alpha beta", "gamma delta"]) == "alpha beta"
    assert len(extractive_summary(["word " * 500])) < 300
