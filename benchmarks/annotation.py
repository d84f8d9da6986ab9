"""Annotation of held-out genes: the model, alignment, and both together, in bins of the identity of the best hit.

    python benchmarks/annotation.py SHARED_DATA --vectors text_vectors.npy --work FOLDER

prints the markdown tables of RESULTS-annotation.md. Rows, split, vectors and FOLDER are those of `retrieval.py`, whose first seeds
must be there (`--seeds`). The folder also keeps the 25 best hits of each held-out gene among the training genes (`relatives.parquet`)
and the significance of its relatives in the memory (`significance.npy`). Weights and confidence were fitted on the validation genes
by `scripts/fit_annotation.py`; what is printed here are test genes and species held out.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from embedding_quality import markdown, species_group
from retrieval import kept_hits, kept_pairs, kept_split

from dnaclip.encoders import Aligner
from dnaclip.metrics import reliability
from dnaclip.models._annotation.calibration import Calibration
from dnaclip.models._annotation.relatives import Relatives, profiles_of
from dnaclip.models._annotation.scores import CandidateTexts, clue_scores
from dnaclip.models._annotation.wording import Wording
from dnaclip.tl._annotation.candidates import KnownGeneTable
from dnaclip.tl._annotation.ranker import Ranked, Ranker, kind_of

BINS = ("none", "bases only", "< 30 %", "30-50 %", "> 50 %")
# A text is taken as right if its MiniLM cosine with the true one is at least this; see RESULTS-annotation.md.
SAME = 0.5
# Keywords and gene sets of more genes say too little.
MOST_GENES = {"keyword": 600, "GO": 300}


@dataclass
class Setting:
    """Held-out genes, what is known of them, and the training genes."""

    pairs: pd.DataFrame
    split: np.ndarray
    raw_text: np.ndarray
    dna: np.ndarray
    text: np.ndarray
    significance: np.ndarray
    hits: pd.DataFrame
    best: pd.DataFrame

    @cached_property
    def train(self) -> np.ndarray:
        return np.flatnonzero(self.split == "train")

    @cached_property
    def place(self) -> np.ndarray:
        """Position of each row among the training genes, -1 for the others."""
        place = np.full(len(self.split), -1)
        place[self.train] = np.arange(len(self.train))
        return place

    @cached_property
    def group(self) -> np.ndarray:
        return np.where(self.split == "species", "held out: " + self.pairs["species"], species_group(self.pairs))

    @cached_property
    def text_id(self) -> np.ndarray:
        return pd.factorize(self.pairs["text"])[0]

    @cached_property
    def bins(self) -> np.ndarray:
        return self.best["identity_bin"].reindex(range(len(self.pairs))).to_numpy()

    @cached_property
    def reference(self) -> KnownGeneTable:
        return self.known(self.train)

    def known(self, rows: np.ndarray) -> KnownGeneTable:
        genes = pd.DataFrame({"gene": rows.astype(str), "text": self.pairs["text"].to_numpy()[rows]})
        return KnownGeneTable(genes, self.text[rows], None)

    def search(self, rows: np.ndarray) -> pd.DataFrame:
        """Kept hits of some rows, as an aligner gives them: queries numbered from 0, hits among the training genes."""
        number = pd.Series(np.arange(len(rows)), index=rows)
        found = self.hits[self.hits["row"].isin(number.index)]
        found = found.assign(query=number.loc[found["row"]].to_numpy(), hit=self.place[found["hit_row"]])
        return found.sort_values(["query", "bitscore"], ascending=[True, False], kind="stable")

    def first_hit(self, rows: np.ndarray, among: np.ndarray) -> np.ndarray:
        """Best of the 25 hits that is one of the rows `among`, -1 without one."""
        found = self.hits[self.hits["hit_row"].isin(among)].sort_values("bitscore", ascending=False, kind="stable")
        return found.drop_duplicates("row").set_index("row")["hit_row"].reindex(rows).fillna(-1).to_numpy(int)


class KeptHits:
    """An aligner that looks up hits that were kept; its sequences are the numbers of rows."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    def search(self, rows: list[str]) -> pd.DataFrame:
        return self.setting.search(np.array(rows, int))


def read_setting(shared: Path, vectors: Path, work: Path, seed: int) -> Setting:
    """Read what `retrieval.py` keeps, and make what it does not."""
    pairs, kept = kept_pairs(shared)
    split = kept_split(pairs, work)
    raw_text = np.load(vectors)[kept].astype(np.float32)
    raw_text /= np.linalg.norm(raw_text, axis=1, keepdims=True)
    with np.load(work / f"trained-{seed}.npz") as arrays:
        dna, text = arrays["dna"], arrays["text"]
    return Setting(
        pairs,
        split["split"].to_numpy(),
        raw_text,
        dna,
        text,
        _kept_significance(pairs, split, raw_text, work),
        _kept_relatives(pairs, split["split"].to_numpy(), work),
        kept_hits(pairs, split, work, "sensitive"),
    )


def _kept_significance(pairs: pd.DataFrame, split: pd.DataFrame, raw_text: np.ndarray, work: Path) -> np.ndarray:
    file = work / "significance.npy"
    if not file.exists():
        from dnaclip.train import prepare_pairs

        prepared = prepare_pairs(pairs, split, text_vectors=raw_text, progress=False)
        np.save(file, prepared.neighbours.significance[:, 0])
    return np.load(file)


def _kept_relatives(pairs: pd.DataFrame, split: np.ndarray, work: Path) -> pd.DataFrame:
    file = work / "relatives.parquet"
    if not file.exists():
        train, held_out = np.flatnonzero(split == "train"), np.flatnonzero(split != "train")
        sequences = pairs["sequence"].to_numpy()
        with Aligner(sequences[train], "diamond") as aligner:
            hits = aligner.search(sequences[held_out])
        hits.insert(0, "row", held_out[hits["query"]])
        hits.insert(1, "hit_row", train[hits["hit"]])
        hits.drop(columns=["query", "hit"]).to_parquet(file)
    return pd.read_parquet(file)


# --- choosing among the texts of the group, the right one among them -------------------------------------------------


def tasks(setting: Setting, part: str) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each group of genes: their rows, a row for each distinct text, and which of these texts is right."""
    found = {}
    for name in sorted(set(setting.group[setting.split == part])):
        rows = np.flatnonzero((setting.group == name) & (setting.split == part))
        _, first, right = np.unique(setting.text_id[rows], return_index=True, return_inverse=True)
        if len(first) >= 20:
            found[name] = rows, rows[first], right
    return found


def clues_of(setting: Setting, rows: np.ndarray, texts: np.ndarray, wording: Wording) -> tuple[np.ndarray, np.ndarray]:
    """Clues and gate of some genes for some texts."""
    relatives = Relatives.from_hits(setting.search(rows), len(rows), len(setting.train))
    profiles = profiles_of(relatives, setting.reference.vectors, setting.reference.texts, wording)
    known = setting.known(texts)
    return clue_scores(
        setting.dna[rows], profiles, CandidateTexts.of(known.vectors, known.texts, wording)
    ), relatives.gate()


def closed_scores(
    setting: Setting, rows: np.ndarray, texts: np.ndarray, weights: np.ndarray, wording: Wording
) -> dict[str, np.ndarray]:
    """Scores of every contender, genes x texts."""
    clues, gate = clues_of(setting, rows, texts, wording)
    share = gate @ weights
    hit = setting.best["hit_row"].reindex(rows).to_numpy()
    best = np.where((hit >= 0)[:, None], setting.raw_text[hit] @ setting.raw_text[texts].T, 0)
    return {
        "model": clues[..., 0],
        "best hit": best,
        "25 hits": np.einsum("nmj,nj->nm", clues[..., 1:], share[:, 1:]),
        "both": np.einsum("nmj,nj->nm", clues, share),
    }


def hit_share(scores: np.ndarray, right: np.ndarray, k: int) -> np.ndarray:
    """Probability that the right text is among the first `k`, ties in random order."""
    own = scores[np.arange(len(scores)), right][:, None]
    better, tied = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    return np.clip((k - better) / tied, 0, 1)


def closed_table(setting: Setting, weights: np.ndarray, wording: Wording) -> pd.DataFrame:
    """Accuracy of each contender by gene, at 1 and at 10."""
    rows = []
    for part in ("test", "species"):
        for name, (genes, texts, right) in tasks(setting, part).items():
            for who, scores in closed_scores(setting, genes, texts, weights, wording).items():
                first = setting.raw_text[texts[scores.argmax(axis=1)]]
                similarity = np.einsum("nd,nd->n", first, setting.raw_text[genes])
                kept = {"group": name, "bin": setting.bins[genes], "contender": who, "similarity": similarity}
                accuracy = {f"accuracy@{k}": hit_share(scores, right, k) for k in (1, 10)}
                rows.append(pd.DataFrame({"row": genes, **kept, **accuracy, "texts": len(texts)}))
    return pd.concat(rows, ignore_index=True)


# --- annotating with the texts of training genes, as in use ---------------------------------------------------------


def annotated(
    setting: Setting, rows: np.ndarray, weights: Calibration, *, aligned: bool, among: np.ndarray | None = None
) -> Ranked:
    """Rank the texts of training genes (all, or the rows `among`) for held-out genes by the code of `tl.annotate`."""
    among = setting.train if among is None else among
    among = among[np.sort(np.unique(setting.text_id[among], return_index=True)[1])]
    ranker = Ranker(
        setting.known(among),
        weights,
        reference=setting.reference if aligned else None,
        aligner=KeptHits(setting) if aligned else None,  # type: ignore[arg-type]
    )
    found = ranker.rank(setting.dna[rows], setting.significance[rows], [str(row) for row in rows], 5)
    found.rows[:] = among[found.rows]
    return found


def similarity(setting: Setting, rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """MiniLM cosine of the true text and the chosen one; 0 where nothing is chosen."""
    return np.where(chosen >= 0, np.einsum("nd,nd->n", setting.raw_text[rows], setting.raw_text[chosen]), 0)


def labels(shared: Path) -> dict[str, dict[str, set[str]]]:
    """Keywords (UniProt) and GO terms (biological process and molecular function) of human symbols."""
    text = pd.read_parquet(shared / "genes/human_gene_text.parquet", columns=["symbol", "uniprot_keywords"]).dropna()
    found: dict[str, dict[str, set[str]]] = {"keyword": {}, "GO": {}}
    sets: dict[str, dict[str, set[str]]] = {"keyword": {}, "GO": {}}
    for symbol, words in zip(text["symbol"], text["uniprot_keywords"], strict=True):
        for word in words.split("; "):
            sets["keyword"].setdefault(word, set()).add(symbol)
    for file in ("enrichr_GO_Biological_Process_2021.gmt", "msigdb_c5.mf.v7.0.symbols.gmt"):
        for line in (shared / "genesets" / file).read_text().splitlines():
            term, _, *genes = line.split("\t")
            sets["GO"][term] = {gene.split(",")[0] for gene in genes if gene}
    for kind, terms in sets.items():
        for term, genes in terms.items():
            for gene in genes if len(genes) <= MOST_GENES[kind] else ():
                found[kind].setdefault(gene, set()).add(term)
    return found


def shared_label(setting: Setting, rows: np.ndarray, chosen: np.ndarray, known: dict[str, set[str]]) -> np.ndarray:
    """Whether the chosen gene shares a label with the true one: 0 or 1 for human genes with labels, else NaN.

    A chosen gene that is not human, or has no label, shares none; so does no choice.
    """
    symbol = setting.pairs["symbol"].to_numpy()
    human = (setting.pairs["species"] == "Homo sapiens").to_numpy()
    return np.array(
        [
            float(c >= 0 and human[c] and bool(known[symbol[r]] & known.get(symbol[c], set())))
            if human[r] and symbol[r] in known
            else np.nan
            for r, c in zip(rows, chosen, strict=True)
        ]
    )


def open_table(setting: Setting, rows: np.ndarray, calibration: Calibration, shared: Path) -> pd.DataFrame:
    """What each contender annotates, by gene, with its confidence."""
    known, parts = labels(shared), []
    human = setting.train[(setting.pairs["species"] == "Homo sapiens").to_numpy()[setting.train]]
    best = setting.best["hit_row"].reindex(rows).to_numpy()
    for who, among, aligned in (
        ("model", None, False),
        ("best hit", None, None),
        ("both", None, True),
        ("model, human only", human, False),
        ("best hit, human only", human, None),
        ("both, human only", human, True),
    ):
        confidence = np.nan
        if aligned is None:
            chosen = best if among is None else setting.first_hit(rows, among)
        else:
            ranked = annotated(setting, rows, calibration, aligned=aligned, among=among)
            chosen = ranked.rows[:, 0]
            confidence = calibration.reliability[kind_of(ranked.features)].confidence(ranked.features)
        table = pd.DataFrame({"row": rows, "part": setting.split[rows], "group": setting.group[rows]})
        table = table.assign(bin=setting.bins[rows], contender=who, confidence=confidence)
        table["similarity"] = similarity(setting, rows, chosen)
        for kind, sets in known.items():
            table[kind] = shared_label(setting, rows, chosen, sets)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


# --- tables ---------------------------------------------------------------------------------------------------------


def by_bin(table: pd.DataFrame, value: str, groups: list[str]) -> pd.DataFrame:
    """Mean of a value by group and bin, a column per contender; all bins together first."""
    contenders = list(dict.fromkeys(table["contender"]))
    both = pd.concat([table.assign(bin="any"), table])
    both["bin"] = pd.Categorical(both["bin"], ["any", *BINS], ordered=True)
    means = both.groupby([*groups, "bin", "contender"], observed=True)[value].mean().unstack()[contenders]
    count = both[both["contender"] == contenders[0]].groupby([*groups, "bin"], observed=True)[value].count()
    means = means[count.loc[means.index] > 0]
    means.insert(0, "genes", count.loc[means.index])
    return means.map(lambda x: f"{x:.3f}" if isinstance(x, float) and x < 1.001 else x).reset_index()


def confidence_table(table: pd.DataFrame) -> pd.DataFrame:
    """Genes above thresholds of confidence, and how many of them are right."""
    rows = []
    for (who, part), some in table.dropna(subset="confidence").groupby(["contender", "part"], sort=False):
        row = {"candidates": who, "genes": f"{part} ({len(some)})"}
        right = some["similarity"] >= SAME
        for least in (0.5, 0.7, 0.8):
            above = some["confidence"] >= least
            row[f">= {least}: share"] = f"{above.mean():.3f}"
            row[f">= {least}: right"] = f"{right[above].mean():.3f}" if above.any() else "-"
            for kind in ("keyword", "GO"):
                value = some.loc[above, kind].mean() if who.endswith("human only") else np.nan
                if least == 0.8:
                    row[f">= 0.8: {kind}"] = "-" if np.isnan(value) else f"{value:.3f}"
        row["ECE"] = f"{reliability(some['confidence'], right).attrs['ece']:.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--genes", type=int, default=3000, help="held-out genes to annotate with training texts")
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    setting = read_setting(options.shared, options.vectors, options.work, options.seed)
    calibration = Calibration.load(options.calibration)
    wording = Wording(setting.reference.texts)

    closed = closed_table(setting, calibration.weights, wording)
    tests = closed[~closed["group"].str.startswith("held out")].assign(group="all test genes")
    everything = pd.concat([tests, closed])
    for value in ("accuracy@10", "accuracy@1", "similarity"):
        table = by_bin(everything, value, ["group"])
        if value != "accuracy@10":
            table = table[(table["group"] == "all test genes") | (table["bin"] == "any")]
        print(f"\n### Among the texts of the group: {value}\n\n{markdown(table)}", flush=True)

    rows = np.flatnonzero(np.isin(setting.split, ["test", "species"]))
    rows = np.sort(np.random.default_rng(0).choice(rows, min(options.genes, len(rows)), replace=False))
    table = open_table(setting, rows, calibration, options.shared)
    table["right"] = (table["similarity"] >= SAME).astype(float)
    of_human = table["contender"].str.endswith("human only")
    for value in ("right", "similarity", "keyword", "GO"):
        some = table[of_human] if value in ("keyword", "GO") else table
        print(
            f"\n### With the texts of training genes: {value}\n\n{markdown(by_bin(some, value, ['part']))}", flush=True
        )
    print(f"\n### Confidence\n\n{markdown(confidence_table(table))}", flush=True)
    if options.figures:
        options.figures.mkdir(parents=True, exist_ok=True)
        table.to_parquet(options.figures / "annotated.parquet")


if __name__ == "__main__":
    main()
