"""The model card: what a model is, what it learned from, how well it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from dnaclip.train._loop import History

__all__ = ["model_card"]


def model_card(config: dict[str, Any], scores: pd.DataFrame, history: History, pairs: pd.DataFrame) -> str:
    """Write the card of a model in Markdown.

    Parameters
    ----------
    config
        Configuration of the model.
    scores
        From `score_parts`.
    history
        Of the training.
    pairs
        Training table; counts of species and sources are taken from it.

    Returns
    -------
    The card.
    """
    training, recipe = config["training"], config["recipe"]
    parts = ", ".join(f"{size:,} {part}" for part, size in training["pairs"].items())
    columns = [str(column) for column in scores if str(column).startswith(("accuracy", "chance"))]
    header = "| part | direction | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 2)
    rows = [
        f"| {part} | {direction} | " + " | ".join(f"{value:.3f}" for value in values) + " |"
        for part, direction, *values in scores[columns].reset_index().to_numpy().tolist()
    ]
    return "\n".join(
        [
            f"# {config['name']}",
            "",
            "Gene embeddings of 128 dimensions in one space for DNA and text, made with dnaclip.",
            "",
            "## What it does",
            "",
            f"The text side projects vectors of the frozen model `{config['text_encoder']}`. The DNA side searches related "
            "genes by shared spaced seeds of their proteins, averages what their texts say with a trained attention, and "
            "falls back on the gene's own composition where it finds no relative.",
            "",
            "## Data",
            "",
            f"`{training['data']['file']}` (sha256 `{training['data']['sha256']}`): {parts}.",
            *_counts(pairs, "species", "Species"),
            *_counts(pairs, "text_source", "Sources of the texts"),
            "",
            "Near-identical sequences and identical texts never stand on two sides of the split. Held-out species: "
            f"{', '.join(training['held_out_species']) or 'none'}. Seed {training['rng']}.",
            f"Genes that the finished model remembers: {training['remembered_genes']} "
            "(no weight was fitted to validation, test or species genes).",
            "",
            "## Accuracy of retrieval",
            "",
            "Candidates are all genes of the part; equal texts count as one. Relatives were looked for among training "
            "genes only.",
            "",
            header,
            *rows,
            "",
            "## Training",
            "",
            f"Best of {len(history.table) - 1} epochs: {history.best_epoch}, validation loss {history.best_loss:.4f}. "
            f"Recipe: `{recipe}`.",
            "",
            *_curves(training["history"]),
            "",
            "## Limits",
            "",
            "Texts state diseases and pathways, so the text side (and what the DNA side learned from it) is no independent "
            "evidence for them. Genes without relatives in the training data get a weak embedding from composition. "
            "Proteins are read with the standard genetic code.",
            "",
            "## Licence",
            "",
            "Weights: BSD-3-Clause. They hold no sequences and no texts. The texts they learned from are NCBI Gene and RefSeq "
            "summaries, HGNC and Ensembl names, model-organism databases and GenBank products, under their own terms.",
            "",
        ]
    )


def _curves(rows: list[dict[str, float]]) -> list[str]:
    columns = [name for name in rows[-1] if name != "lr"]
    cells = [[f"{row[name]:.4g}" if name in row else "" for name in columns] for row in rows]
    lines = [[name.replace("_", " ") for name in columns], ["---"] * len(columns), *cells]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _counts(pairs: pd.DataFrame, column: str, title: str) -> list[str]:
    if column not in pairs:
        return []
    counts = pairs[column].replace("", "not stated").value_counts()
    shown = "; ".join(f"{name} {count:,}" for name, count in counts.head(20).items())
    rest = f"; {len(counts) - 20} more" if len(counts) > 20 else ""
    return ["", f"{title}: {shown}{rest}."]
