"""All tasks on made-up labels: what comes out, what is refused, and runs that were stopped."""

from __future__ import annotations

import json
import shutil

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from dnaclip import benchmark
from dnaclip._errors import DownloadError, InputError, MissingKeyError
from dnaclip.benchmark import _gene_level
from dnaclip.datasets import EmbeddingTable

TASKS = ("go", "omim", "sl", "class", "dosage", "ggi")


@pytest.fixture(scope="module")
def result(vectors, labels):
    return benchmark.run(vectors, TASKS, data=labels, progress=False, name="mine")


def test_all_tasks_find_what_the_vectors_know(result):
    aurocs = result[result["metric"] == "auroc"].groupby("task")["value"].mean()
    assert set(aurocs.index) == {"go", "omim", "sl", "dosage", "ggi"}
    assert (aurocs > 0.9).all()
    of_class = result[result["task"] == "class"].set_index("metric")["value"]
    assert (of_class[["accuracy", "nmi", "ari"]] > 0.95).all()
    assert set(result["protocol"]) == {"published"}
    assert set(result["embedding"]) == {"mine"}
    assert (result.loc[result["task"] == "go", "n_train"] + result.loc[result["task"] == "go", "n_test"] == 300).all()


def test_vectors_that_know_nothing_are_at_chance(vectors, labels):
    noise = pd.DataFrame(np.random.default_rng(0).normal(size=vectors.shape), index=vectors.index)
    found = benchmark.run(noise, ("go", "ggi"), data=labels, progress=False)
    assert found.loc[found["metric"] == "auroc", "value"].between(0.3, 0.7).all()


def test_fast_mode_says_that_it_is_not_the_published_protocol(vectors, labels):
    found = benchmark.run(vectors, TASKS, mode="fast", data=labels, progress=False)
    assert found["protocol"].str.contains("not the published protocol").all()
    assert (found[found["metric"] == "auroc"].groupby("task")["value"].mean() > 0.9).all()
    assert "SVC" not in set(found["method"])


def test_all_forms_of_an_embedding_give_the_same_scores(vectors, labels, names, tmp_path):
    options = {"tasks": "go", "mode": "fast", "data": labels, "progress": False}
    expected = benchmark.run(vectors, **options)["value"].to_numpy()
    vectors.to_parquet(tmp_path / "mine.parquet")
    vectors.rename_axis("gene").to_csv(tmp_path / "mine.csv")
    vectors.reset_index(names="gene").to_parquet(tmp_path / "column.parquet")
    adata = ad.AnnData(np.ones((1, len(vectors)), np.float32), var=pd.DataFrame(index=names["symbol"].to_numpy()))
    adata.varm["dnaclip"] = vectors.to_numpy()
    by_ensembl = vectors.set_axis(names["ensembl_id"] + ".7", axis=0)
    files = [tmp_path / "mine.parquet", str(tmp_path / "mine.csv"), tmp_path / "column.parquet"]
    for form in (*files, adata, by_ensembl):
        np.testing.assert_array_equal(benchmark.run(form, **options)["value"], expected)


def test_an_embedding_table_is_read_by_modality(small_table, labels, tmp_path):
    options = {"tasks": "go", "mode": "fast", "data": labels, "progress": False}
    dna, text = (benchmark.run(small_table, modality=side, **options) for side in ("dna", "text"))
    assert (dna["n_train"] + dna["n_test"] == 300).all()
    assert (text["n_train"] + text["n_test"] == 290).all()
    assert dna["embedding"].unique().tolist() == ["toy dna"]
    assert not dna["reads_text"].any()
    assert text["reads_text"].all()
    small_table.save(tmp_path / "toy.safetensors")
    again = benchmark.run(tmp_path / "toy.safetensors", modality="dna", **options)
    assert again["value"].mean() == pytest.approx(dna["value"].mean(), abs=0.05)


def test_intersect_keeps_to_the_genes_of_all_published_embeddings(vectors, labels):
    found = benchmark.run(vectors, ("go", "sl"), genes="intersect", mode="fast", data=labels, progress=False)
    assert (found.loc[found["task"] == "go", ["n_train", "n_test"]].sum(axis=1) == 200).all()


def test_no_gene_of_a_test_pair_is_trained_on(labels):
    pairs = pd.read_parquet(labels / "zhong2025/pairs_sl.parquet")
    for fold in range(3):
        genes = [set(part[["entrez_a", "entrez_b"]].to_numpy().ravel()) for _, part in pairs.groupby(f"role_f{fold}")]
        assert not genes[1] & genes[2]


def test_pair_features(vectors, labels):
    found = benchmark.run(
        vectors, "sl", pair_features=("sum", "product", "concat"), mode="fast", data=labels, progress=False
    )
    assert found.groupby("features").size().to_dict() == {"sum": 9, "product": 9, "concat": 9}


def test_threads_do_not_change_the_scores(result, vectors, labels):
    again = benchmark.run(vectors, TASKS, data=labels, progress=False, name="mine", n_jobs=2)
    pd.testing.assert_frame_equal(again, result)


def test_several_rows_of_a_gene_and_rows_without_vector(vectors, labels, names):
    double = vectors.set_axis(names["symbol"], axis=0).iloc[:5] * 0 - 5
    absent = pd.DataFrame(np.nan, index=["NOGENE"], columns=vectors.columns)
    more = pd.concat([vectors, double, absent])
    options = {"tasks": "go", "mode": "fast", "data": labels, "progress": False}
    np.testing.assert_array_equal(benchmark.run(more, **options)["value"], benchmark.run(vectors, **options)["value"])


def test_a_stopped_run_goes_on(result, vectors, labels, tmp_path, monkeypatch):
    options = {"data": labels, "progress": False, "name": "mine", "checkpoint": tmp_path}
    real, calls = _gene_level.nested_scores, []

    def stop_at_second(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(_gene_level, "nested_scores", stop_at_second)
    with pytest.raises(KeyboardInterrupt):
        benchmark.run(vectors, TASKS, **options)
    assert len(list(tmp_path.glob("go-*.json"))) == 1

    def count(*args):
        calls.append(args)
        return real(*args)

    monkeypatch.setattr(_gene_level, "nested_scores", count)
    again = benchmark.run(vectors, TASKS, resume=True, **options)
    pd.testing.assert_frame_equal(again, result)
    assert len(calls) == 4  # three terms, one of them begun twice
    (tmp_path / "go-GO-1.json").write_text("[{")  # a damaged part is computed again
    pd.testing.assert_frame_equal(benchmark.run(vectors, TASKS, resume=True, **options), result)


def test_a_checkpoint_is_of_one_run_only(vectors, labels, tmp_path):
    options = {"tasks": "go", "mode": "fast", "data": labels, "progress": False, "checkpoint": tmp_path}
    benchmark.run(vectors, **options)
    with pytest.raises(InputError, match="resume=True"):
        benchmark.run(vectors, **options)
    with pytest.raises(InputError, match="another benchmark: vectors differ"):
        benchmark.run(vectors * 2, resume=True, **options)
    assert json.loads((tmp_path / "benchmark.json").read_text())["mode"] == "fast"


def test_terms_without_enough_genes_are_nan_and_named(vectors, labels):
    few = vectors.iloc[1::3]  # none of what the terms ask for
    with pytest.warns(UserWarning, match="2 terms have too few genes"):
        found = benchmark.run(few, "go", data=labels, progress=False)
    assert found["value"].isna().all()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"tasks": ("go", "weather")}, r"tasks=\['weather'\] are not known"),
        ({"tasks": ()}, "tasks is empty"),
        ({"mode": "quick"}, "mode='quick'"),
        ({"genes": "some"}, "genes='some'"),
        ({"pair_features": "mean"}, "pair_features"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"data": "/nowhere"}, "data must be a folder"),
    ],
)
def test_options_that_cannot_be_used(vectors, labels, change, match):
    with pytest.raises(InputError, match=match):
        benchmark.run(vectors, **{"tasks": "go", "data": labels, "progress": False} | change)


def test_embeddings_that_cannot_be_used(vectors, labels, small_table, tmp_path):
    def refused(embedding, match, error=InputError):
        with pytest.raises(error, match=match):
            benchmark.run(embedding, "go", data=labels, progress=False)

    refused(3, "got int")
    refused("nothing.parquet", "no file 'nothing.parquet'")
    (tmp_path / "x.xlsx").write_bytes(b"x")
    refused(tmp_path / "x.xlsx", "form that is not known")
    (tmp_path / "x.parquet").write_bytes(b"x")
    refused(tmp_path / "x.parquet", "cannot be read")
    refused(vectors.assign(word="a"), "not numbers: 'word'")
    refused(vectors.iloc[:, :0], "must hold numbers")
    refused(vectors * np.nan, "None of the 300 genes has a vector")
    broken = vectors.copy()
    broken.iloc[4, 1] = np.inf
    refused(broken, "1 of 300 genes have values that are NaN or infinite")
    refused(ad.AnnData(np.ones((1, 1), np.float32)), "tl.embed", MissingKeyError)
    mouse = EmbeddingTable(small_table.genes, small_table.sides, "mouse", 10090, "toy", "0" * 64)
    refused(mouse, "table is for 'mouse'")


def test_tasks_with_too_few_genes_say_so(vectors, labels):
    with pytest.raises(InputError, match="functional classes"):
        benchmark.run(vectors.iloc[:20], "class", data=labels, progress=False)
    with pytest.raises(InputError, match="dosage-sensitive"):
        benchmark.run(vectors.iloc[:8], "dosage", data=labels, progress=False)


def test_labels_come_from_a_mirror_and_are_checked(vectors, labels, tmp_path, monkeypatch):
    monkeypatch.setenv("DNACLIP_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("DNACLIP_MIRROR", str(tmp_path))
    shutil.copytree(labels, tmp_path / "benchmarks")
    # These are not the registered labels.
    with pytest.raises(DownloadError, match=r"gene_level\.parquet"):
        benchmark.run(vectors, "go", progress=False)


def test_damaged_labels(vectors, labels, tmp_path):
    shutil.copytree(labels, tmp_path / "mine")
    pd.DataFrame({"task": ["go"]}).to_parquet(tmp_path / "mine/zhong2025/gene_level.parquet")
    with pytest.raises(InputError, match="lacks the columns 'term'"):
        benchmark.run(vectors, "go", data=tmp_path / "mine", progress=False)


def test_real_labels_fit_the_shipped_table(shared_data):
    options = {"mode": "fast", "data": shared_data / "benchmarks", "progress": False, "modality": "text"}
    found = benchmark.run("dnaclip", "dosage", **options)
    aurocs = found.loc[found["metric"] == "auroc", "value"]
    assert (found["n_train"] + found["n_test"] > 480).all()
    assert 0.7 < aurocs.mean() < 1
