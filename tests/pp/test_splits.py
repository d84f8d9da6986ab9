"""Near copies and genes of one text share a cluster, and no cluster is on both sides of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from dnaclip._errors import InputError, MissingKeyError
from dnaclip.pp import cluster_pairs, split_pairs
from dnaclip.pp._shared_words import WordKind, distinct_words, near_copies
from dnaclip.pp._word_file import WordFile

if TYPE_CHECKING:
    from pathlib import Path

BASES = "ACGT"
# One codon a residue, so that any choice of residues is an open reading frame.
CODONS = ["GCT", "TGT", "GAT", "GAA", "TTT", "GGT", "CAT", "ATT", "AAA", "CTT"]
SYNONYMS = ["GCC", "TGC", "GAC", "GAG", "TTC", "GGC", "CAC", "ATC", "AAG", "CTC"]
STOPS = "TAATTAATTAA"  # one in each frame


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def gene(rng: np.random.Generator, length: int) -> str:
    return "".join(rng.choice(list(BASES), length))


def mutated(rng: np.random.Generator, sequence: str, share: float) -> str:
    letters = np.array(list(sequence))
    hit = rng.random(len(letters)) < share
    letters[hit] = [
        BASES[(BASES.index(letter) + step) % 4]
        for letter, step in zip(letters[hit], rng.integers(1, 4, hit.sum()), strict=True)
    ]
    return "".join(letters)


def clusters(*sequences: str, texts: list[Any] | None = None) -> list[int]:
    """Clusters numbered by first appearance; without `texts`, by sequence alone."""
    return pd.factorize(cluster_pairs(sequences, texts or [""] * len(sequences)))[0].tolist()


@pytest.fixture
def pairs(rng: np.random.Generator) -> pd.DataFrame:
    """Four hundred genes: 100 families of one to three copies, and a text that ten unrelated genes share."""
    sequences = []
    for _ in range(100):
        ancestor = gene(rng, int(rng.integers(70, 900)))
        sequences += [mutated(rng, ancestor, 0.02) for _ in range(rng.integers(1, 4))]
    sequences += [gene(rng, 400) for _ in range(400 - len(sequences))]
    texts = [f"text {i}" for i in range(390)] + ["hypothetical protein"] * 10
    table = pd.DataFrame(
        {"sequence": sequences, "text": texts, "species": rng.choice(["worm", "fly", "yeast"], 400)},
        index=[f"gene{i}" for i in range(400)],
    )
    return table.sample(frac=1, random_state=1)


class TestClusters:
    @pytest.mark.parametrize("length", [72, 300, 590, 610, 1500, 20_000])
    def test_copies_with_three_per_cent_of_mutations(self, rng: np.random.Generator, length: int) -> None:
        ancestors = [gene(rng, length) for _ in range(3)]
        copies = [mutated(rng, ancestor, 0.03) for ancestor in ancestors]
        assert clusters(*ancestors, *copies) == [0, 1, 2, 0, 1, 2]

    def test_distant_relatives_stay_apart(self, rng: np.random.Generator) -> None:
        ancestor = gene(rng, 3000)
        assert clusters(ancestor, mutated(rng, ancestor, 0.3)) == [0, 1]

    def test_reverse_and_complement_are_other_genes(self, rng: np.random.Generator) -> None:
        sequence = gene(rng, 800)
        complement = sequence.translate(str.maketrans("ACGT", "TGCA"))
        assert clusters(sequence, sequence[::-1], complement, complement[::-1]) == [0, 1, 2, 3]

    @pytest.mark.parametrize(("part", "whole"), [(100, 400), (300, 5000), (1200, 30_000)])
    def test_a_piece_is_a_copy_of_the_whole(self, rng: np.random.Generator, part: int, whole: int) -> None:
        sequence = gene(rng, whole)
        start = whole // 3
        assert clusters(sequence, sequence[start : start + part], gene(rng, part)) == [0, 0, 1]

    @pytest.mark.parametrize("n", [60, 1000])
    def test_one_protein_in_other_codons(self, rng: np.random.Generator, n: int) -> None:
        residues = rng.integers(0, len(CODONS), n)
        spelt = ["".join(code[i] for i in residues) for code in (CODONS, SYNONYMS)]
        stranger = "".join(CODONS[i] for i in rng.permutation(residues))
        assert clusters(*spelt, stranger) == [0, 0, 1]

    def test_chain(self, rng: np.random.Generator) -> None:
        line = gene(rng, 2000)
        links = [line[start : start + 500] for start in range(0, 1501, 300)]
        assert clusters(links[0], links[-1]) == [0, 1]
        assert clusters(*links) == [0] * 6
        assert clusters(*links[:2], *links[3:]) == [0, 0, 1, 1, 1]

    def test_chain_through_texts(self, rng: np.random.Generator) -> None:
        first, second = gene(rng, 200), gene(rng, 200)
        sequences = [first, mutated(rng, first, 0.02), second, mutated(rng, second, 0.02)]
        assert clusters(*sequences, texts=["a", "b", "b", "c"]) == [0, 0, 0, 0]

    def test_texts(self, rng: np.random.Generator) -> None:
        sequences = [gene(rng, 200) for _ in range(9)]
        texts = ["A kinase.", "a  KINASE.\n", "a kinase", "", "", " ", None, float("nan"), "A kinase."]
        assert clusters(*sequences, texts=texts) == [0, 0, 1, 2, 3, 4, 5, 6, 0]

    def test_equal_sequences_too_short_for_a_word(self) -> None:
        assert clusters("ACGTAC", "ACGTAA", "acguac", "A", "NNACGT") == [0, 1, 0, 2, 3]

    def test_case_uracil_and_ambiguous_letters(self, rng: np.random.Generator) -> None:
        sequence = gene(rng, 120)
        vague = sequence[:50] + "NRY" + sequence[53:]
        unknown = ["N" * 60 + gene(rng, 60) for _ in range(2)]
        assert clusters(sequence, sequence.lower().replace("t", "u"), vague, *unknown) == [0, 0, 0, 1, 2]

    @pytest.mark.parametrize("length", [380, 1000])
    def test_tails_and_shared_repeats_link_nothing(self, rng: np.random.Generator, length: int) -> None:
        ending = STOPS + gene(rng, 80) + STOPS + "A" * 80
        assert clusters(*(gene(rng, length) + ending for _ in range(30))) == list(range(30))

    @pytest.mark.parametrize("length", [80, 1000])
    def test_family_of_more_copies_than_a_rare_word_has(self, rng: np.random.Generator, length: int) -> None:
        ancestor = gene(rng, length)
        copies = [mutated(rng, ancestor, 0.001) for _ in range(450)]
        assert len(set(copies)) > 30
        assert clusters(gene(rng, length), *copies) == [0, *[1] * 450]

    def test_repeat_in_very_many_genes_links_none_of_them(self, rng: np.random.Generator) -> None:
        repeat = STOPS + gene(rng, 80) + STOPS
        hosts = [gene(rng, 1000) + repeat for _ in range(420)]
        assert clusters(repeat, *hosts[:20]) == [0] * 21  # in a few genes it may be a gene of its own, copied
        assert clusters(repeat, *hosts) == list(range(421))

    def test_numbers_do_not_depend_on_the_order(self, pairs: pd.DataFrame, rng: np.random.Generator) -> None:
        found = cluster_pairs(pairs["sequence"], pairs["text"])
        assert 100 < len(set(found)) < 390
        assert set(found) == set(range(found.max() + 1))
        order = rng.permutation(len(pairs))
        again = cluster_pairs(pairs["sequence"].iloc[order], pairs["text"].iloc[order])
        np.testing.assert_array_equal(again, found[order])

    def test_nothing(self) -> None:
        assert cluster_pairs([], []).tolist() == []

    def test_refused(self) -> None:
        with pytest.raises(InputError, match="There are 2 sequences and 1 texts. Pass one text for each sequence."):
            cluster_pairs(["ACGT", "ACGA"], ["a"])
        with pytest.raises(InputError, match="number 1 has '-' at position 3"):
            cluster_pairs(["ACGT", "AC-A"], ["a", "b"])


class TestWords:
    kind = WordKind(letters=4, length=3, share=0.5, least=1, whole_below=100, every=4)

    def test_distinct_words_by_hand(self) -> None:
        symbols = np.array([0, 1, 2, 3, 5, 0, 1, 2, 0, 1, 2, 4, 3, 3, 3, 3, 5], np.uint8)
        genes = np.repeat([1, 0], [5, 12])
        keys = distinct_words(symbols, genes, np.array([11, 4]), self.kind)
        # ACG = 6, CGA = 24, CGT = 27, GAC = 33, TTT = 63
        assert [(int(key >> 32), int(key & 0xFFFFFFFF)) for key in keys.tolist()] == [
            (6, 0), (6, 1), (24, 0), (27, 1), (33, 0), (63, 0)
        ]  # fmt: skip

    def test_no_words(self) -> None:
        keys = distinct_words(np.array([0, 5], np.uint8), np.zeros(2, int), np.array([1]), self.kind)
        assert len(keys) == 0
        assert near_copies([keys], np.array([1]), self.kind).shape == (2, 0)

    def test_near_copies_by_hand(self) -> None:
        kind = WordKind(letters=4, length=3, share=0.5, least=2, whole_below=100, every=4)
        words_of = [[1, 2, 3, 4], [3, 4, 5, 6, 7, 8], [4, 5, 6], [9], [9]]
        keys = np.array([word << 32 | i for i, words in enumerate(words_of) for word in words], np.uint64)
        found = near_copies([np.sort(keys)], np.full(5, 10), kind)
        # 0 and 1 share half of the words of 0; 0 and 2 too few; 3 and 4 all that they have, which is too little.
        assert sorted(map(tuple, found.T.tolist())) == [(0, 1), (1, 0), (1, 2), (2, 1)]
        in_ranges = near_copies(np.split(np.sort(keys), [1, 4, 7]), np.full(5, 10), kind)
        np.testing.assert_array_equal(in_ranges, found)

    @pytest.mark.parametrize("letters", [2, 4, 20])
    def test_word_file_sorts_the_words_of_all_blocks(self, rng: np.random.Generator, letters: int) -> None:
        kind = WordKind(letters=letters, length=7, share=0.5, least=1, whole_below=100, every=4)
        blocks = [
            np.sort(rng.integers(0, letters**7, n).astype(np.uint64) << 32 | i) for i, n in enumerate([500, 0, 9])
        ]
        with WordFile(kind) as words:
            for block in blocks:
                words.add(block.astype(np.uint64))
            ranges = list(words.ranges())
        np.testing.assert_array_equal(np.concatenate(ranges), np.sort(np.concatenate(blocks)))
        assert max(map(len, ranges)) < 60
        words_in = [set((keys >> np.uint64(32)).tolist()) for keys in ranges]
        assert sum(map(len, words_in)) == len(set.union(*words_in))

    def test_sample_is_the_same_for_all_genes(self, rng: np.random.Generator) -> None:
        kind = WordKind(letters=4, length=10, share=0.25, least=4, whole_below=100, every=8)
        sequence = rng.integers(0, 4, 40_000).astype(np.uint8)
        zeros = np.zeros(len(sequence), int)
        whole, part = (
            distinct_words(symbols, zeros, np.array([200]), kind) for symbols in (sequence, sequence[5000:9000])
        )
        assert set(part.tolist()) < set(whole.tolist())
        assert len(whole) == pytest.approx(40_000 / 8, rel=0.1)
        every_word = distinct_words(sequence, zeros, np.array([50]), kind)
        assert len(every_word) == pytest.approx(len(whole) * 8, rel=0.1)


class TestSplit:
    def test_parts_are_whole_clusters_of_the_wanted_size(self, pairs: pd.DataFrame) -> None:
        before = pairs.copy()
        split = split_pairs(pairs)
        pd.testing.assert_frame_equal(pairs, before)
        pd.testing.assert_index_equal(split.index, pairs.index)
        assert list(split) == ["cluster", "near_copies", "split"]
        assert list(split["split"].cat.categories) == ["train", "validation", "test", "species"]
        assert split.groupby("cluster")["split"].nunique().max() == 1
        np.testing.assert_array_equal(split["cluster"], cluster_pairs(pairs["sequence"], pairs["text"]))
        sizes = split["split"].value_counts()
        assert sizes["test"] == pytest.approx(40, abs=3)
        assert sizes["validation"] == pytest.approx(20, abs=3)
        assert sizes["species"] == 0
        hypothetical = split.loc[pairs["text"] == "hypothetical protein", "split"]
        assert hypothetical.nunique() == 1

    def test_seed_decides(self, pairs: pd.DataFrame) -> None:
        split = split_pairs(pairs, rng=3)
        pd.testing.assert_frame_equal(split, split_pairs(pairs, rng=np.random.default_rng(3)))
        assert (split["split"] != split_pairs(pairs, rng=4)["split"]).sum() > 50
        backwards = split_pairs(pairs.iloc[::-1], rng=3)
        pd.testing.assert_frame_equal(split, backwards.iloc[::-1])

    def test_large_clusters_train(self, pairs: pd.DataFrame) -> None:
        fractions, family = (0.2, 0.4, 0.4), pairs["text"] == "hypothetical protein"
        for seed in range(8):
            split = split_pairs(pairs, fractions=fractions, largest_free_cluster=9, rng=seed)
            assert (split.loc[family, "split"] == "train").all()
        seeds = [split_pairs(pairs, fractions=fractions, largest_free_cluster=10, rng=seed) for seed in range(8)]
        assert len({str(split.loc[family, "split"].iloc[0]) for split in seeds}) > 1

    def test_held_out_species_are_whole(self, pairs: pd.DataFrame) -> None:
        split = split_pairs(pairs, held_out_species=["worm", "fly"])
        held_out = pairs["species"] != "yeast"
        assert ((split["split"] == "species") == held_out).all()
        rest = split[~held_out]
        assert rest.groupby("cluster")["split"].nunique().max() == 1
        assert (rest["split"] == "test").mean() == pytest.approx(0.1, abs=0.03)

    def test_zero_fractions_and_repeated_index(self, pairs: pd.DataFrame) -> None:
        pairs.index = pd.Index([0] * len(pairs))
        split = split_pairs(pairs, fractions=(0.9, 0, 0.1))
        assert split["split"].value_counts()["validation"] == 0
        assert set(split_pairs(pairs, fractions=(1, 0, 0))["split"]) == {"train"}

    def test_few_genes_reach_every_part(self, rng: np.random.Generator) -> None:
        pairs = pd.DataFrame({"sequence": [gene(rng, 90) for _ in range(10)], "text": list("abcdefghij")})
        assert split_pairs(pairs)["split"].value_counts().to_dict() == {
            "train": 8, "validation": 1, "test": 1, "species": 0
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"fractions": (0.8, 0.1, 0.2)}, r"sum to 1, got \(0.8, 0.1, 0.2\)"),
            ({"fractions": (0.9, 0.1)}, "fractions must be three numbers"),
            ({"fractions": (1.1, -0.1, 0.0)}, "fractions must be three numbers"),
            ({"fractions": (float("nan"), 0.1, 0.1)}, "fractions must be three numbers"),
            ({"fractions": (0.0, 0.5, 0.5)}, r"train \(above 0\)"),
            ({"held_out_species": "worm"}, r"Pass a list: \['worm'\]"),
            ({"held_out_species": ["mouse"]}, "held_out_species='mouse' is not known. Use one of: .*'yeast'"),
            ({"held_out_species": ["worm", "fly", "yeast"]}, "nothing is left to train on"),
            ({"largest_free_cluster": 0}, "largest_free_cluster must be a whole number of at least 1, got 0"),
            ({"rng": "seed"}, "rng must be an int"),
        ],
    )
    def test_refused(self, pairs: pd.DataFrame, options: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            split_pairs(pairs, **options)

    @pytest.mark.parametrize("column", ["sequence", "text", "species"])
    def test_missing_column(self, pairs: pd.DataFrame, column: str) -> None:
        with pytest.raises(MissingKeyError, match=f"'{column}' is not in the columns of pairs. Present: "):
            split_pairs(pairs.drop(columns=column), held_out_species=["worm"])

    def test_species_column_is_needed_only_to_hold_out(self, pairs: pd.DataFrame) -> None:
        pd.testing.assert_frame_equal(split_pairs(pairs.drop(columns="species")), split_pairs(pairs))

    def test_empty_table(self, pairs: pd.DataFrame) -> None:
        with pytest.raises(InputError, match="pairs has no rows"):
            split_pairs(pairs.iloc[:0])

    def test_missing_sequence(self, pairs: pd.DataFrame) -> None:
        pairs.iloc[7, 0] = None
        with pytest.raises(InputError, match="gene number 7 is (None|nan)"):
            split_pairs(pairs)

    def test_too_few_clusters(self, pairs: pd.DataFrame) -> None:
        message = (
            "Nothing is left for validation and test: the 400 rows to split form 1 clusters, the largest of 400 rows"
        )
        with pytest.raises(InputError, match=message):
            split_pairs(pairs.assign(text="protein"))


def test_real_genes(shared_data: Path) -> None:
    columns = ["species", "sequence", "text", "symbol"]
    pairs = pd.read_parquet(
        shared_data / "genes" / "pairs.parquet", columns=columns, filters=[("informative", "==", True)]
    )
    strains = pairs[pairs["species"].str.match("Escherichia coli (K-12|O157)")]
    named = strains[strains["symbol"].str.match("^[a-z]{3}[A-Z]$", na=False)]
    both = named.groupby("symbol").filter(lambda genes: genes["species"].nunique() == len(genes) == 2)
    genes = pd.concat([both.sort_values("symbol").head(1200), pairs.drop(both.index).sample(800, random_state=0)])
    split = split_pairs(genes, held_out_species=["Danio rerio"])
    assert split.groupby("cluster")["split"].agg(lambda parts: len(set(parts) - {"species"})).max() == 1
    assert (split["split"] == "test").mean() == pytest.approx(0.1, abs=0.01)
    assert split["cluster"].nunique() > 900  # most genes are no copies
    # One gene of two strains of a species is nearly always one cluster.
    orthologs = split.iloc[:1200]["cluster"].to_numpy().reshape(-1, 2)
    assert (orthologs[:, 0] == orthologs[:, 1]).mean() > 0.97
