"""How well held-out genes find their text, and how well gene classes separate, beside the simplest things that could work.

    python benchmarks/embedding_quality.py --pairs pairs.parquet --split split.parquet --hits hits.parquet \
        --text-vectors texts.npy --vectors dnaclip=seed0.npz --vectors dnaclip=seed1.npz --classes human_gene_class.parquet

prints markdown tables. All rows below are the informative rows of the pairs table, in its order:

* `--split`: a column `split` with `train`, `validation`, `test` (clusters of similar genes) and `species` (whole species left out);
* `--hits`: what `alignment_transfer.py` wrote;
* `--text-vectors`: the text encoder's vectors, (number of distinct texts, d), in order of first appearance;
* `--vectors NAME=FILE`: an .npz with the arrays `dna` and `text` of a model, a row per gene (training rows are used for clustering
  only); the same name again is another seed, another name another contender, such as a model with random weights;
* `--raw-dna`: a .npy of the features that enter the DNA projector, for the clustering table.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
from alignment_transfer import transferred

from dnaclip.metrics import clustering, retrieval_hits

KS = (1, 5, 10)
BINS = ("none", "bases only", "< 30 %", "30-50 %", "> 50 %")
_BACTERIA = ("Escherichia", "Shigella", "Yersinia", "Paracoccus", "Brucella", "Neisseria", "Mycoplasma")


def held_out_genes(pairs: pd.DataFrame, split: pd.Series, hits: pd.DataFrame) -> pd.DataFrame:
    """Describe the genes to be judged: `group` (whose texts are the candidates), `text_id` and `identity_bin`."""
    genes = pd.DataFrame(
        {
            "part": split.to_numpy(),
            "group": np.where(split == "species", "held out: " + pairs["species"], species_group(pairs)),
            "text_id": pd.factorize(pairs["text"])[0],
        }
    )
    genes = genes[genes["part"].isin(["test", "species"])]
    return genes.join(hits["identity_bin"])


def species_group(pairs: pd.DataFrame) -> np.ndarray:
    """Name the group of each gene: human by kind of text, other animals, plants, yeast, bacteria."""
    species = pairs["species"]
    return np.select(
        [
            (species == "Homo sapiens") & (pairs["text_level"] == "summary"),
            species == "Homo sapiens",
            species == "Arabidopsis thaliana",
            species == "Saccharomyces cerevisiae",
            species.str.startswith(_BACTERIA),
        ],
        ["human, summary", "human, name", "plants", "yeast", "bacteria"],
        "other animals",
    )


def retrieval_scores(dna: np.ndarray, text: np.ndarray, genes: pd.DataFrame) -> pd.DataFrame:
    """Score one contender, in both directions.

    Parameters
    ----------
    dna, text
        Shape (len(genes), d).
    genes
        From :func:`held_out_genes`.

    Returns
    -------
    Mean accuracy@k and chance@k by `group` (candidates are the genes of that group; `all test genes` together is one more),
    `direction` and `identity_bin` (`any` for all questions). A text that asks for several genes counts in the bin of the first.
    """
    test = (genes["part"] == "test").to_numpy()
    members = {"all test genes": test}
    members |= {name: (genes["group"] == name).to_numpy() for name in sorted(genes["group"].unique(), key=_group_order)}
    rows = []
    for name, member in members.items():
        ids, bins = genes["text_id"].to_numpy()[member], genes["identity_bin"].to_numpy()[member]
        to_text = retrieval_hits(dna[member], text[member], groups=ids, ks=KS)
        to_dna = retrieval_hits(text[member], dna[member], groups=ids, repeated="queries", ks=KS)
        for direction, found in {"DNA to text": to_text, "text to DNA": to_dna}.items():
            for one in ("any", *BINS):
                chosen = found if one == "any" else found[bins[found.index] == one]
                place = {"group": name, "direction": direction, "identity_bin": one}
                counts = {"questions": len(chosen), "candidates": found.attrs["n_candidates"]}
                rows.append(place | counts | chosen.mean().to_dict())
    return pd.DataFrame(rows)


def length_only(length: np.ndarray, text: np.ndarray, is_train: np.ndarray, *, n_neighbors: int = 200) -> np.ndarray:
    """Predict text vectors from gene length alone: the mean over the training genes closest in length, less the overall mean."""
    order = np.flatnonzero(is_train)[np.argsort(length[is_train], kind="stable")]
    sums = np.concatenate([np.zeros((1, text.shape[1])), np.cumsum(text[order], axis=0, dtype=np.float64)])
    place = np.searchsorted(length[order], length[~is_train])
    begin = np.clip(place - n_neighbors // 2, 0, len(order) - n_neighbors)
    return ((sums[begin + n_neighbors] - sums[begin]) / n_neighbors - sums[-1] / len(order)).astype(np.float32)


def clustering_scores(representations: dict[str, list[np.ndarray]], labels: np.ndarray) -> pd.DataFrame:
    """NMI and ARI of k-means clusters (unit rows) against classes; several arrays under one name are seeds."""
    rows = {}
    for name, seeds in representations.items():
        scores = pd.DataFrame([clustering(_unit(array), labels, rng=seed) for seed, array in enumerate(seeds)])
        rows[name] = {metric: mean_sd(scores[metric]) for metric in scores}
    return pd.DataFrame(rows).T


def gene_classes(pairs: pd.DataFrame, classes: pd.DataFrame) -> pd.Series:
    """Return the functional class of each human gene of the pairs table, by Ensembl or else Entrez id, and NaN for other genes."""
    by_ensembl = classes.set_index("ensembl_id")["gene_type15"]
    by_entrez = classes.dropna(subset="entrez_id").drop_duplicates("entrez_id").set_index("entrez_id")["gene_type15"]
    found = pairs["gene_id"].str.split(".").str[0].map(by_ensembl).fillna(pairs["entrez_id"].map(by_entrez))
    return found.where(pairs["species"] == "Homo sapiens")


def mean_sd(values: pd.Series) -> str:
    """Write the mean, and the standard deviation when there is more than one value."""
    return f"{values.mean():.3f}" + (f" ± {values.std():.3f}" if len(values) > 1 else "")


def retrieval_tables(scores: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Arrange the scores of all contenders and seeds: a table per direction and k, and one by identity of the best hit."""
    tables = {}
    for direction, part in scores.groupby("direction"):
        whole, binned = (
            part[part["identity_bin"] == "any"],
            part[(part["identity_bin"] != "any") & (part["questions"] > 0)],
        )
        for k in KS:
            tables[f"{direction}, accuracy@{k}"] = _beside_chance(whole, ["group"], k)
        tables[f"{direction}, accuracy@10 by identity of the best alignment"] = _beside_chance(
            binned, ["group", "identity_bin"], 10
        )
    return tables


def _beside_chance(scores: pd.DataFrame, by: list[str], k: int) -> pd.DataFrame:
    """One row per group, one column per contender, sizes and chance first."""
    first = scores.groupby(by, sort=False)[["questions", "candidates", f"chance@{k}"]].first()
    cells = scores.groupby([*by, "contender"])[f"accuracy@{k}"].agg(mean_sd).unstack()
    contenders = cells.loc[first.index, list(scores["contender"].unique())]
    return first.assign(**{f"chance@{k}": first[f"chance@{k}"].map("{:.3f}".format)}).join(contenders).reset_index()


def markdown(table: pd.DataFrame) -> str:
    """Write a table as markdown."""
    lines = [list(table.columns), ["---"] * table.shape[1], *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _group_order(name: str) -> tuple[bool, bool, str]:
    return name.startswith("held out"), not name.startswith("human"), name


def _unit(array: np.ndarray) -> np.ndarray:
    return array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), 1e-12)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("pairs", "split", "hits", "text-vectors"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--vectors", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--raw-dna", type=Path)
    parser.add_argument("--classes", type=Path)
    arguments = parser.parse_args()

    pairs = pd.read_parquet(arguments.pairs)
    pairs = pairs[pairs["informative"]].reset_index(drop=True)
    split = pd.read_parquet(arguments.split)["split"]
    hits = pd.read_parquet(arguments.hits)
    genes = held_out_genes(pairs, split, hits)
    rows, is_train = genes.index.to_numpy(), (split == "train").to_numpy()

    raw_text = np.load(arguments.text_vectors).astype(np.float32)[pd.factorize(pairs["text"])[0]]
    by_length = np.zeros_like(raw_text)
    by_length[~is_train] = length_only(pairs["sequence"].str.len().to_numpy(), raw_text, is_train)
    centred = raw_text - raw_text[is_train].mean(axis=0)
    contenders: dict[str, list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
    contenders["length only"] = [(by_length[rows], centred[rows])]
    contenders["best alignment"] = [(transferred(raw_text, hits.loc[rows]), raw_text[rows])]
    representations: dict[str, list[np.ndarray]] = defaultdict(list, {"raw text": [raw_text]})
    if arguments.raw_dna:
        representations["raw DNA features"] = [np.load(arguments.raw_dna)]
    for name, file in (option.split("=", 1) for option in arguments.vectors):
        with np.load(file) as arrays:
            contenders[name].append((arrays["dna"][rows], arrays["text"][rows]))
            representations[f"{name}, DNA"].append(arrays["dna"])
            representations[f"{name}, text"].append(arrays["text"])

    scores = pd.concat(
        retrieval_scores(dna, text, genes).assign(contender=name, seed=seed)
        for name, seeds in contenders.items()
        for seed, (dna, text) in enumerate(seeds)
    )
    for title, table in retrieval_tables(scores).items():
        print(f"\n### {title}\n\n{markdown(table)}")
    if arguments.classes:
        labels = gene_classes(pairs, pd.read_parquet(arguments.classes))
        for title, known in {
            "all human genes": labels.notna(),
            "human test genes": labels.notna() & (split == "test"),
        }.items():
            chosen = {name: [array[known] for array in seeds] for name, seeds in representations.items()}
            table = clustering_scores(chosen, labels[known].to_numpy())
            heading = f"Functional classes, {title} ({known.sum()} genes, {labels[known].nunique()} classes)"
            print(f"\n### {heading}\n\n{markdown(table.rename_axis('vectors').reset_index())}")


if __name__ == "__main__":
    main()
