"""Make the pictures of the gallery in the documentation, for maintainers.

DNACLIP_SHARED_DATA=FOLDER python scripts/gallery_pictures.py        # writes docs/_static/gallery/*.png, about two minutes

A picture is made by the calls that stand beside it in docs/gallery.md, on the data of the tutorials.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scanpy as sc
from PIL import Image

import dnaclip

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OUT = Path(__file__).resolve().parents[1] / "docs" / "_static" / "gallery"
SHARED = Path(os.environ.get("DNACLIP_SHARED_DATA", ""))
DPI = 80


def save(name: str, figure: Figure) -> None:
    """Write a figure as a PNG of few colours."""
    page = io.BytesIO()
    figure.savefig(page, dpi=DPI, bbox_inches="tight")
    plt.close(figure)
    picture = Image.open(page).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(OUT / f"{name}.png", optimize=True)
    print(f"{name}: {(OUT / f'{name}.png').stat().st_size / 1e3:.0f} kB")


def programs() -> None:
    """Gene programs of blood cells, and what differs between the two states of Jurkat cells."""
    adata = sc.datasets.pbmc68k_reduced().raw.to_adata()
    dnaclip.tl.embed(adata)
    dnaclip.tl.gene_programs(adata, resolution=[0.5, 1, 2, 4])
    dnaclip.tl.score_programs(adata)
    dnaclip.tl.enrich(adata, SHARED / "genesets" / "enrichr_GO_Biological_Process_2021.gmt", organism="human")
    save("gene_map", dnaclip.pl.gene_map(adata).figure)
    save("program_heatmap", dnaclip.pl.program_heatmap(adata, "bulk_labels").figure)
    save("program_stability", dnaclip.pl.program_stability(adata).figure)
    save("program_similarity", dnaclip.pl.program_similarity(adata, max_genes=300).figure)
    save("program_network", dnaclip.pl.program_network(adata).figure)
    save("enrichment_dotplot", dnaclip.pl.enrichment_dotplot(adata, n_terms=1).figure)

    jurkat = ad.read_h5ad(SHARED / "cells" / "datlinger2021_jurkat_2000g.h5ad")
    jurkat.obs = jurkat.obs[["perturbation", "perturbation_2"]].set_axis(["culture", "state"], axis=1)
    sc.pp.filter_cells(jurkat, min_counts=5)
    sc.pp.normalize_total(jurkat, target_sum=100)
    sc.pp.log1p(jurkat)
    dnaclip.tl.embed(jurkat)
    dnaclip.tl.gene_programs(jurkat)
    dnaclip.tl.score_programs(jurkat)
    dnaclip.tl.rank_programs(jurkat, "state", reference="unstimulated", donor_key="culture", paired=True)
    save("program_effects", dnaclip.pl.program_effects(jurkat).figure)


def perturbation() -> None:
    """A prediction of perturbed K562 cells, and how it is judged."""
    adata = ad.read_h5ad(SHARED / "cells" / "norman_k562_devel.h5ad")
    dnaclip.tl.embed(adata)
    dnaclip.tl.split_perturbations(adata, "kfold", fold=0)
    predictor = dnaclip.tl.PerturbationPredictor(adata, method="ridge").fit(train="split")
    scores = predictor.evaluate("split", baselines=True, controls=True)
    save("perturbation_scores", dnaclip.pl.perturbation_scores(scores).figure)
    tested = scores["perturbation"].dropna().unique()
    predicted = predictor.predict(tested)
    delta = dnaclip.pl.perturbation_delta(predicted, adata, tested[0], train="split", n_labels=6)
    save("perturbation_delta", delta.figure)
    save("perturbation_map", dnaclip.pl.perturbation_map(predicted).figure)
    drawn = predictor.generate(tested[:3], n_cells=50)
    save("generated_cells", dnaclip.pl.generated_cells(drawn, adata, tested[:3]).figure)


def expression() -> None:
    """Expression of the genes of two chromosomes."""
    adata = ad.read_h5ad(SHARED / "cells" / "onek1k_pseudobulk_basemean.h5ad")
    adata.X = np.log1p(np.asarray(adata.X))
    dnaclip.tl.embed(adata)
    both = (adata.X > 0).any(axis=0) & (adata.var["dnaclip_modalities"] == "dna+text").to_numpy()
    adata = adata[:, both].copy()
    dnaclip.tl.split_genes(adata, "chromosome")
    predictor = dnaclip.tl.ExpressionPredictor(adata, method="ridge").fit(train="split", progress=False)
    save("expression_scores", dnaclip.pl.expression_scores(predictor.evaluate(by_gene=True)).figure)
    predicted = predictor.predict(adata.var_names[adata.var["split"] == "test"])
    save("expression_scatter", dnaclip.pl.expression_scatter(predicted, adata, adata.obs_names[0]).figure)
    save("expression_calibration", dnaclip.pl.expression_calibration(predictor.calibration()).figure)


def viability() -> None:
    """Genes that cancer cell lines need."""
    adata = ad.read_h5ad(SHARED / "cells" / "depmap_chronos_subset_58x887.h5ad")
    dnaclip.tl.embed(adata)
    adata = adata[:, adata.var["dnaclip_found"]].copy()
    dnaclip.tl.split_viability(adata, "both")
    regressor = dnaclip.tl.ViabilityRegressor(
        profile="expr_log2tpm1", missing="mean", missing_effects="ignore", coverage=None
    )
    regressor.fit(adata, split="viability_split")
    save("viability_scores", dnaclip.pl.viability_scores(regressor.evaluate(adata)).figure)
    predicted = regressor.predict(adata)
    save("viability_predictions", dnaclip.pl.viability_predictions(predicted, adata, held_out="genes").figure)


def genes() -> None:
    """Retrieval, confidence, pairs, tuning and the benchmark."""
    pairs = pd.read_parquet(SHARED / "genes" / "pairs.parquet", filters=[("informative", "==", True)])
    save("pairs_overview", dnaclip.pl.pairs_overview(pairs, n_species=12))

    table = dnaclip.datasets.load_table("human")
    both = np.flatnonzero(table.has("dna") & table.has("text"))[::8]
    kinds = table.genes["biotype"].iloc[both]
    common = kinds.isin(kinds.value_counts().index[:6]).to_numpy()
    dna, text = (table.vectors(side)[both][common] for side in ("dna", "text"))
    retrieval = dnaclip.metrics.retrieval_by(dna, text, kinds[common])
    save("retrieval_accuracy", dnaclip.pl.retrieval_accuracy(retrieval).figure)

    # Made-up statements whose confidence is nearly exact.
    rng = np.random.default_rng(0)
    confidence = rng.beta(1.2, 0.9, 2000)
    right = rng.random(2000) < np.clip(confidence + 0.06, 0, 1)
    save("reliability_curve", dnaclip.pl.reliability_curve(confidence, right).figure)

    # Made-up numbers of a search over two settings.
    trials = pd.DataFrame({"lr": [1e-4, 3e-4, 1e-3, 3e-3, 1e-3, 1e-3], "dimension": [128, 128, 128, 128, 32, 256]})
    trials = trials.assign(varied=["lr", "lr", "", "lr", "dimension", "dimension"])
    trials["accuracy@10"] = [0.33, 0.41, 0.44, 0.38, 0.36, 0.45]
    save("tuning_curves", dnaclip.pl.tuning_curves(trials, ["lr", "dimension"]))

    ranking = dnaclip.benchmark.compare(
        dnaclip.benchmark.run("dnaclip", tasks="go", mode="fast", data=SHARED / "benchmarks", progress=False),
        data=SHARED / "benchmarks",
    )
    save("benchmark_ranking", dnaclip.pl.benchmark_ranking(ranking, "go").figure)


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for make in (programs, perturbation, expression, viability, genes):
        make()
