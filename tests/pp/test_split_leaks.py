"""Splits by other groups than clusters, what they leak, and what a table of pairs holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from dnaclip import pp
from dnaclip.errors import InputError, MissingKeyError

if TYPE_CHECKING:
    from pathlib import Path


split_leaks: Any = pp.split_leaks
split_pairs: Any = pp.split_pairs
summarize_pairs: Any = pp.summarize_pairs


@pytest.fixture
def pairs() -> pd.DataFrame:
    """A hundred unrelated genes of ten chromosomes and five species, one of which has copies of another's genes."""
    rng = np.random.default_rng(0)
    genes = ["".join(rng.choice(list("ACGT"), 300)) for _ in range(100)]
    genes[80:] = genes[:20]
    return pd.DataFrame(
        {
            "sequence": genes,
            "text": [f"gene {i} of kind {i % 3}" for i in range(100)],
            "species": np.repeat([f"species {i}" for i in range(5)], 20),
            "seqid": np.tile(["1", "2"], 50),
            "text_date": [f"20{i // 5:02d}-0{1 + i % 5}" for i in range(100)],
        }
    )


@pytest.mark.parametrize(("by", "columns"), [("species", ["species"]), ("chromosome", ["species", "seqid"])])
def test_species_and_chromosomes_stay_whole(pairs: pd.DataFrame, by: Any, columns: list[str]) -> None:
    split = split_pairs(pairs, by=by, fractions=(0.6, 0.2, 0.2))
    parts = split["split"].groupby([pairs[name] for name in columns], observed=True).nunique()
    assert parts.tolist() == [1] * len(parts)
    assert split["split"].value_counts().to_dict() == {"train": 60, "validation": 20, "test": 20, "species": 0}
    shuffled = pairs.sample(frac=1, random_state=1)
    again = split_pairs(shuffled, by=by, fractions=(0.6, 0.2, 0.2))
    assert again["split"].loc[pairs.index].tolist() == split["split"].tolist()


def test_the_test_has_the_youngest_texts_and_training_those_without_a_date(pairs: pd.DataFrame) -> None:
    dated = pairs.assign(text_date=pairs["text_date"].where(pairs.index != 99, ""))
    split = split_pairs(dated, by="date", fractions=(0.7, 0.1, 0.2))["split"]
    dates = pairs["text_date"].drop(99)
    assert dates[split == "train"].max() < dates[split == "validation"].min()
    assert dates[split == "validation"].max() < dates[split == "test"].min()
    assert split[99] == "train"
    assert split.value_counts()["test"] == 20
    same = split_pairs(
        pairs.assign(text_date=["2020-01"] * 60 + ["2021-05-03"] * 40), by="date", fractions=(0.6, 0, 0.4)
    )
    assert same["split"].value_counts().to_dict() == {"train": 60, "test": 40, "validation": 0, "species": 0}


def test_clusters_are_given_whatever_stays_whole(pairs: pd.DataFrame) -> None:
    expected = split_pairs(pairs)["cluster"].tolist()
    for by in ("sequence", "text", "species", "chromosome", "date"):
        assert split_pairs(pairs, by=by, fractions=(0.6, 0.2, 0.2))["cluster"].tolist() == expected


def test_the_report_counts_what_each_split_leaks(pairs: pd.DataFrame) -> None:
    same_text = pairs.assign(text=[f"gene of kind {i % 10}" for i in range(100)])
    # Cut so that 4 in 5 words of the original are left.
    same_text.loc[80:, "sequence"] = [gene[:250] for gene in pairs["sequence"][80:]]
    split = pd.DataFrame({"split": ["train"] * 70 + ["validation"] * 10 + ["test"] * 20})
    leaks = split_leaks(same_text, split)
    assert leaks.loc[
        "test", ["genes", "near_sequence", "same_sequence", "near_text", "same_text", "either"]
    ].tolist() == [
        *(20, 20, 0, 20, 20, 20),
    ]
    assert leaks.loc["test", "sequence_similarity"] == pytest.approx(1)
    assert leaks.loc["validation", ["genes", "near_sequence"]].tolist() == [10, 0]
    lower = pairs.assign(sequence=pairs["sequence"].str.lower())
    mixed = pd.concat([pairs[:80], lower[80:]])
    assert split_leaks(mixed, split).loc["test", "same_sequence"] == 20
    clustered = split_leaks(pairs, split_pairs(pairs, fractions=(0.6, 0.2, 0.2)))
    assert clustered["near_sequence"].tolist() == [0, 0]


def test_shares_of_words_are_what_a_count_of_all_of_them_gives() -> None:
    rng = np.random.default_rng(3)
    base = "".join(rng.choice(list("ACGT"), 400))
    near = "".join(rng.choice(list("ACGT")) if rng.random() < 0.05 else letter for letter in base)
    words = [{gene[i : i + 16] for i in range(len(gene) - 15)} for gene in (base, near)]
    share = len(words[0] & words[1]) / min(map(len, words))
    table = pd.DataFrame({"sequence": [base, near], "text": ["a", "b"]})
    found = split_leaks(table, pd.DataFrame({"split": ["train", "test"]}))
    assert found.loc["test", "sequence_similarity"] == pytest.approx(share)


def test_rows_without_text_are_near_to_none(pairs: pd.DataFrame) -> None:
    leaks = split_leaks(pairs[:4].assign(text=""), pd.DataFrame({"split": ["train", "train", "test", "test"]}))
    assert leaks.loc["test", ["near_sequence", "near_text", "same_text"]].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("by", "change", "message"),
    [
        ("month", {}, "by='month' is not known"),
        ("chromosome", {"seqid": ""}, "100 rows of pairs have no 'seqid': rows 0, 1"),
        ("date", {"text_date": "yesterday"}, "100 values of text_date are no dates such as 2025-02-05: 'yesterday'"),
        ("date", {"text_date": ""}, "No row of pairs has a text_date"),
        (
            "species",
            {"species": "one"},
            "Nothing is left for validation and test: the 100 rows to split form 1 species",
        ),
    ],
)
def test_what_cannot_be_split_is_explained(pairs: pd.DataFrame, by: Any, change: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_pairs(pairs.assign(**change), by=by)


def test_a_column_that_a_split_needs_is_named(pairs: pd.DataFrame) -> None:
    with pytest.raises(MissingKeyError, match="'text_date' is not in the columns of pairs"):
        split_pairs(pairs.drop(columns="text_date"), by="date")


@pytest.mark.parametrize(
    ("split", "options", "message"),
    [
        (["train"] * 100, {}, "100 of 100 rows are for training"),
        (["test"] * 100, {}, "0 of 100 rows are for training"),
        (["train"], {}, "There are 100 pairs and 1 rows of the split"),
        (["train", "test"] * 50, {"text_similarity": 2}, "text_similarity must be a number from 0 to 1"),
    ],
)
def test_a_report_needs_two_sides(pairs: pd.DataFrame, split: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_leaks(pairs, pd.DataFrame({"split": split}), **options)


def test_the_summary_counts_by_hand() -> None:
    table = pd.DataFrame(
        {
            "species": ["a"] * 3 + ["b"],
            "sequence": ["A", "AA", "AAA", "AAAA"],
            "text": ["x", " ", None, "y"],
            "informative": [False, False, False, True],
            "biotype": ["protein_coding", "protein_coding", None, "lncRNA"],
        }
    )
    summary = summarize_pairs(table)
    assert summary.loc["a"].to_dict() == {
        **{"genes": 3, "with_text": 1, "without_text": 2, "informative": 0, "bases": 6},
        **{"length_5": pytest.approx(1.1), "length_50": 2, "length_95": pytest.approx(2.9)},
        **{"biotype_protein_coding": 2, "biotype_unknown": 1, "biotype_lncRNA": 0, "biotype_other": 0},
    }
    assert summary.loc["b", ["genes", "informative", "biotype_lncRNA"]].tolist() == [1, 1, 1]


def test_what_cannot_be_summarized_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a Parquet table"):
        summarize_pairs(tmp_path / "none.parquet")
    with pytest.raises(InputError, match="pairs has no rows"):
        summarize_pairs(pd.DataFrame({"sequence": [], "text": []}))
    pd.DataFrame({"text": ["x"]}).to_parquet(tmp_path / "short.parquet")
    with pytest.raises(MissingKeyError, match="'sequence' is not in the columns of short.parquet"):
        summarize_pairs(tmp_path / "short.parquet")
