"""Expression of unseen genes: methods and vectors side by side, on cell types and tissues, and from human to mouse.

    python benchmarks/expression.py ../shared/data --tables onek1k hpa gtex pbmc3k families mouse

Prints markdown tables. The mouse table needs DNACLIP_MIRROR=assets.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd

import dnaclip
from dnaclip.datasets import load_table
from dnaclip.metrics import expression
from dnaclip.pp import match_genes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILES = {
    "onek1k": (
        "onek1k_pseudobulk_basemean",
        "OneK1K, 4 immune cell types x training and validation donors, log1p of the base mean",
    ),
    "hpa": ("hpa_consensus_tissue", "HPA consensus, 54 tissues, log1p of nTPM"),
    "gtex": ("gtex_bulk_54tissues", "GTEx, 54 tissues, log1p of the values as stored"),
    "pbmc3k": ("pbmc3k_counts", "PBMC 3k, pseudobulks of 9 cell types, log1p of counts per million"),
}
METRICS = ["cell_pcc", "gene_pcc", "gene_pcc_centred", "whole_pcc", "mse", "coverage"]
HEADER = ["cell PCC", "gene PCC", "gene PCC, centred", "whole PCC", "MSE", "in 90 % interval"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--tables", nargs="+", default=[*FILES, "families", "variants", "mouse"])
    parser.add_argument("--brief", action="store_true", help="the network alone and the ridge for joint vectors only")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in arguments.tables:
        if name in FILES:
            adata = read(arguments.data, name)
            dnaclip.tl.split_genes(adata, "chromosome", chromosome_key="chromosome")
            side_by_side(adata, FILES[name][1], brief=arguments.brief)
        elif name == "families":
            families(arguments.data)
        elif name == "variants":
            variants(arguments.data)
        elif name == "mouse":
            mouse(arguments.data)


def read(data: Path, name: str) -> ad.AnnData:
    """Groups by protein-coding genes that have a text, a chromosome and any expression."""
    adata = ad.read_h5ad(data / "cells" / f"{FILES[name][0]}.h5ad")
    if name == "pbmc3k":
        adata = dnaclip.tl.pseudobulk(adata, "cell_type")
    else:
        adata.X = np.log1p(np.asarray(adata.X, dtype=np.float64)).astype(np.float32)
    table = load_table("human")
    match = match_genes(adata.var_names, table)
    rows = np.where(match.found, match.rows, 0)
    adata.var["chromosome"] = np.where(match.found, table.genes["chromosome"].to_numpy(object)[rows], "")
    coding = match.found & (table.genes["biotype"].to_numpy(object)[rows] == "protein_coding")
    text = table.vectors("text")[rows]
    coding &= ~np.isnan(text[:, 0]) & (adata.var["chromosome"] != "").to_numpy() & (adata.X > 0).any(axis=0)
    adata = adata[:, coding].copy()
    for modality in ("dna", "text", "joint"):
        dnaclip.tl.embed(adata, modality=modality, key_added=modality)
    # The wider table of text, keywords and gene groups; the few genes that it lacks count as average.
    dnaclip.tl.embed(adata, model="dnaclip-function", modality="text", key_added="function")
    adata.varm["function"] = np.nan_to_num(adata.varm["function"])
    return adata


def row(table: pd.DataFrame) -> list[str]:
    values = table[table["group"] == "all"].set_index("metric")["value"]
    return [f"{values[name]:.3f}" if name in values and np.isfinite(values[name]) else "-" for name in METRICS]


def show(title: str, rows: Iterable[list[str]], first: list[str]) -> None:
    header = [*first, *HEADER, "CPU s"]
    print(f"\n### {title}\n\n| {' | '.join(header)} |\n| {' | '.join(['---'] * len(header))} |", flush=True)
    for one in rows:
        print(f"| {' | '.join(one)} |", flush=True)


def judge(adata: ad.AnnData, use_rep: str | list[str], method: str, **options: object) -> tuple[list[str], str]:
    start = time.process_time()
    predictor = dnaclip.tl.ExpressionPredictor(adata, use_rep, method=method, device="cpu", **options)
    predictor.fit(train="split", progress=False)
    seconds = f"{time.process_time() - start:.1f}"
    return row(predictor.evaluate(baselines=False)), seconds


def side_by_side(adata: ad.AnnData, title: str, *, brief: bool) -> None:
    sizes = adata.var["split"].value_counts().to_dict()
    rng = np.random.default_rng(0)
    known = np.flatnonzero(~np.isnan(adata.varm["joint"][:, 0]))
    adata.varm["permuted"] = adata.varm["joint"].copy()
    adata.varm["permuted"][known] = adata.varm["joint"][rng.permutation(known)]
    adata.varm["random"] = rng.normal(size=adata.varm["joint"].shape).astype(np.float32)
    kinds: dict[str, str | list[str]] = {"joint": "joint", "text": "text", "text + dna": ["text", "dna"]}
    kinds |= {
        "joint + text + dna": ["joint", "text", "dna"],
        "function": "function",
        "permuted": "permuted",
        "random": "random",
    }

    def rows() -> Iterator[list[str]]:
        for name in ("gene_mean", "train_mean"):
            yield [name, "none", *judge(adata, "joint", name)[0], "0"]
        for kind, use_rep in kinds.items():
            every = kind == "joint" or not (brief or kind in ("permuted", "random"))
            for method in ("ridge, linear", "ridge", "unicorn", "hybrid") if every else ("hybrid",):
                options = {"n_landmarks": 0} if "linear" in method else {}
                scores, seconds = judge(adata, use_rep, method.split(",")[0], **options)
                yield [method, kind, *scores, seconds]

    show(f"{title}; {sizes}", rows(), ["method", "vectors"])
    # Half of the genes have a sequence in the table: these are compared among themselves.
    some = adata[:, ~np.isnan(adata.varm["dna"][:, 0])].copy()

    def half() -> Iterator[list[str]]:
        yield ["train_mean", "none", *judge(some, "joint", "train_mean")[0], "0"]
        for kind in ("dna", "text", "joint", "permuted"):
            scores, seconds = judge(some, kind, "hybrid")
            yield ["hybrid", kind, *scores, seconds]

    show(
        f"The same, genes with a DNA vector; {some.var['split'].value_counts().to_dict()}",
        half(),
        ["method", "vectors"],
    )


def families(data: Path) -> None:
    adata = read(data, "onek1k")
    for method, options in (("random", {}), ("chromosome", {"chromosome_key": "chromosome"}), ("family", {})):
        dnaclip.tl.split_genes(adata, method, use_rep="joint", **options)
        leaks = adata.uns["split"]["leaks"].loc["test"].round(3).to_dict()
        said = ", ".join(f"{name} {value:g}" for name, value in leaks.items())
        rows = [[name, *judge(adata, "joint", name)[0], ""] for name in ("train_mean", "ridge", "hybrid")]
        show(f"OneK1K, split {method!r}, joint; test genes: {said}", rows, ["method"])


def variants(data: Path) -> None:
    adata = read(data, "onek1k")
    dnaclip.tl.split_genes(adata, "chromosome", chromosome_key="chromosome")
    rows = []
    for loss in ("mse", "poisson", "poisson_nll", "pearson", "mixture", "mse_pearson"):
        scores, seconds = judge(adata, "joint", "unicorn", loss=loss)
        rows.append([loss, "base", *scores, seconds])
    for variant in ("loss_prediction", "experts", "ensemble"):
        scores, seconds = judge(adata, "joint", "unicorn", variant=variant)
        rows.append(["mse_pearson", variant, *scores, seconds])
    scores, seconds = judge(adata, "joint", "hybrid", learns="residual")
    rows.append(["mse_pearson", "hybrid, learns='residual'", *scores, seconds])
    show("OneK1K, test chromosomes 8 and 9, the network alone, joint", rows, ["loss", "variant"])


# Tissues of the mouse and those of the human atlas that are nearest to them.
TISSUES = {
    "Bone.Marrow": "bone marrow",
    "Cerebellum": "cerebellum",
    "Cortex": "cerebral cortex",
    "Heart": "heart muscle",
    "Intestine": "small intestine",
    "Kidney": "kidney",
    "Liver": "liver",
    "Lung": "lung",
    "Placenta": "placenta",
    "Spleen": "spleen",
    "Testis": "testis",
    "Thymus": "thymus",
}


def mouse(data: Path) -> None:
    """Predict mouse genes with what was learned from all human genes."""
    human = read(data, "hpa")
    tissues = {m: h for m, h in TISSUES.items() if h in human.obs_names}
    of_mouse = ad.read_h5ad(data / "cells" / "mouse_encode_17tissues.h5ad")
    tissues = {m: h for m, h in tissues.items() if m in of_mouse.obs_names}
    human, of_mouse = human[list(tissues.values())].copy(), of_mouse[list(tissues)].copy()
    of_mouse.X = np.log1p(np.asarray(of_mouse.X, dtype=np.float64))
    of_mouse = of_mouse[:, (of_mouse.X > 0).any(axis=0) & ~of_mouse.var_names.duplicated()].copy()
    for modality in ("dna", "text", "joint"):
        dnaclip.tl.embed(of_mouse, modality=modality, organism="mouse", key_added=modality)
    ortholog = orthologs(data, human, of_mouse)
    print(
        f"\n{len(tissues)} tissues; {(ortholog >= 0).sum()} of {of_mouse.n_vars} mouse genes have one human ortholog in the data."
    )
    has = {key: ~np.isnan(of_mouse.varm[key][:, 0]) for key in ("dna", "text", "joint")}
    for title, genes, keys in (
        (
            "mouse genes with an ortholog, DNA and text",
            (ortholog >= 0) & has["dna"] & has["text"],
            ("dna", "text", "joint"),
        ),
        ("mouse genes with an ortholog and text", (ortholog >= 0) & has["text"], ("text",)),
        ("mouse genes without one ortholog, but with text", (ortholog < 0) & has["text"], ("text",)),
    ):
        observed = of_mouse.X[:, genes]
        # Species and laboratories have scales of their own: all predictions are brought to the mean and spread of each tissue.
        mean, std = observed.mean(axis=1, keepdims=True), observed.std(axis=1, keepdims=True)
        rows = [
            ["mean of the tissue", *row(expression(np.tile(mean, observed.shape[1]), observed, mean=mean[:, 0])), ""]
        ]
        if (ortholog[genes] >= 0).all():
            rows.append(["value of the ortholog", *scaled(human.X[:, ortholog[genes]], observed, mean, std), ""])
        for key in keys:
            some = genes & has[key]
            predictor = dnaclip.tl.ExpressionPredictor(human, key, device="cpu").fit(progress=False)
            predicted = np.zeros_like(observed)
            for own, name in ((False, "all genes"), (True, "without the orthologs themselves")):
                if own:
                    if not (ortholog[genes] >= 0).all():
                        continue
                    train = np.ones(human.n_vars, bool)
                    train[ortholog[genes]] = False
                    predictor.fit(train=train, progress=False)
                own_vectors = pd.DataFrame(of_mouse.varm[key][some], index=of_mouse.var_names[some])
                predicted = predictor.predict(vectors=own_vectors).X
                inside = observed[:, some[genes]]
                scores = scaled(predicted, inside, mean, std)
                rows.append([f"hybrid, {key}, human {name} ({some.sum()} genes)", *scores, ""])
        show(f"{title}: {genes.sum()}", rows, ["method"])


def scaled(predicted: np.ndarray, observed: np.ndarray, mean: np.ndarray, std: np.ndarray) -> list[str]:
    predicted = np.asarray(predicted, np.float64)
    centred = (predicted - predicted.mean(axis=1, keepdims=True)) / predicted.std(axis=1, keepdims=True)
    # Shrunk by the correlation, which is the least squared error for a linear map; the same for all methods.
    pcc = [np.corrcoef(p, o)[0, 1] for p, o in zip(predicted, observed, strict=True)]
    return row(expression(mean + centred * std * np.array(pcc)[:, None], observed, mean=mean[:, 0]))


def orthologs(data: Path, human: ad.AnnData, of_mouse: ad.AnnData) -> np.ndarray:
    """Return the position of the one human ortholog of each mouse gene, -1 for none or several."""
    pairs = pd.read_parquet(data / "genes" / "hcop_human_orthologs.parquet")
    of_human, of_other = "human_ensembl", "ensembl_id"
    pairs = pairs[pairs[of_other].isin(of_mouse.var_names) & pairs[of_human].isin(human.var_names)]
    pairs = pairs[[of_human, of_other]].drop_duplicates()
    single = ~pairs[of_other].duplicated(keep=False) & ~pairs[of_human].duplicated(keep=False)
    pairs = pairs[single].set_index(of_other)[of_human]
    return human.var_names.get_indexer(pairs.reindex(of_mouse.var_names).fillna(""))


if __name__ == "__main__":
    main()
