"""Fit what `tl.annotate` weighs clues by and reads confidence from, on validation genes; for maintainers.

    python scripts/fit_annotation.py SHARED_DATA --vectors text_vectors.npy --work FOLDER \
        --out src/dnaclip/models/_annotation/dnaclip-base.json

FOLDER is that of `benchmarks/retrieval.py`. The model that is fitted to remembers training genes only, and no near copy of a
validation gene, nor one with the same text, is among them. Confidence is fitted on annotations from four sets of candidates, so
that it holds for more than one: all training texts, human ones, those of the gene's own group, and bacterial ones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from annotation import SAME, Setting, annotated, clues_of, read_setting, similarity, tasks

from dnaclip.models._annotation.calibration import FEATURES, Calibration, Reliability
from dnaclip.models._annotation.fit import Task, fit_weights, limit_embedding
from dnaclip.models._annotation.wording import Wording

ABOUT = (
    "Fitted by scripts/fit_annotation.py on validation genes without near copies in training. Right: MiniLM cosine with the true "
    f"text of at least {SAME}."
)


def weights(setting: Setting) -> np.ndarray:
    """Fit the weights of the clues."""
    wording = Wording(setting.reference.texts)
    chosen = list(tasks(setting, "validation").values())
    fitted = [Task(*clues_of(setting, rows, texts, wording), right) for rows, texts, right in chosen]
    bins = [setting.bins[rows].astype(str) for rows, _, _ in chosen]
    return limit_embedding(fitted, bins, fit_weights(fitted))


def examples(setting: Setting, calibration: Calibration, *, aligned: bool) -> tuple[np.ndarray, np.ndarray]:
    """Features of validation annotations, and the similarity of their text to the true one; every gene comes four times."""
    rows = np.flatnonzero(setting.split == "validation")
    group = setting.group[setting.train].astype(str)
    asked = [(rows, among) for among in (None, np.char.startswith(group, "human"), group == "bacteria")]
    asked += [(rows[setting.group[rows] == name], group == name) for name in sorted(set(setting.group[rows]))]
    features, alike = [], []
    for some, among in asked:
        candidates = None if among is None else setting.train[among]
        found = annotated(setting, some, calibration, aligned=aligned, among=candidates)
        features.append(found.features)
        alike.append(similarity(setting, some, found.rows[:, 0]))
    return np.concatenate(features), np.concatenate(alike)


def curve(features: np.ndarray, alike: np.ndarray) -> Reliability:
    """Fit the confidence of annotations."""
    return Reliability.fit(features, alike >= SAME, repeats=4)


def main() -> None:
    """Fit and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--name", default="dnaclip-base")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    setting = read_setting(options.shared, options.vectors, options.work, options.seed)
    fitted = Calibration(options.name, weights(setting), {}, ABOUT)
    reliability = {kind: curve(*examples(setting, fitted, aligned=kind == "alignment")) for kind in FEATURES}
    path = Calibration(options.name, fitted.weights, reliability, ABOUT).save(options.out)
    print(path.read_text())


if __name__ == "__main__":
    main()
