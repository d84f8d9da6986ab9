"""Training: data feeding, splits and one readable loop."""

from __future__ import annotations

from dnaclip.train._compare import compare
from dnaclip.train._config import TrainConfig
from dnaclip.train._cross_fit import cross_fit_composition
from dnaclip.train._evaluate import embed_feed
from dnaclip.train._expression.loop import fit_expression_net
from dnaclip.train._feed import Batch, Feed
from dnaclip.train._fit import fit, fit_prepared
from dnaclip.train._folder import train_folder
from dnaclip.train._language.config import LanguageModelConfig
from dnaclip.train._language.loop import fit_hyenadna
from dnaclip.train._loop import History, train_clip
from dnaclip.train._perturbation.loop import fit_vae
from dnaclip.train._prepare import PreparedPairs, memory_index, prepare_pairs
from dnaclip.train._recipe import Recipe
from dnaclip.train._search.folder import tune_folder
from dnaclip.train._search.tune import tune

__all__ = [
    "Batch",
    "Feed",
    "History",
    "LanguageModelConfig",
    "PreparedPairs",
    "Recipe",
    "TrainConfig",
    "compare",
    "cross_fit_composition",
    "embed_feed",
    "fit",
    "fit_expression_net",
    "fit_hyenadna",
    "fit_prepared",
    "fit_vae",
    "memory_index",
    "prepare_pairs",
    "train_clip",
    "train_folder",
    "tune",
    "tune_folder",
]
