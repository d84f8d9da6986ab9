"""Every encoder that has a name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dnaclip.datasets._registry import load_registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["NON_COMMERCIAL", "Entry", "catalogue", "list_encoders"]

NON_COMMERCIAL = "Not for commercial use."
CODE = "Brings code of its own: load it with trust_remote_code='{model}' and revision='<commit you have read>'."


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An encoder by name."""

    name: str
    kind: str
    """What it reads: `dna`, `protein`, `text`, or `gene` for ready vectors."""
    dimension: int
    context: str
    """What it reads at once; longer sequences are cut into pieces, longer texts end there."""
    licence: str
    extra: str = ""
    """Extra of dnaclip to install, or package."""
    note: str = ""
    maker: str
    """Class in this room."""
    options: Mapping[str, Any] = field(default_factory=dict)


def _hugging_face(
    name: str, model: str, dimension: int, context: str, licence: str, note: str = "", **options: Any
) -> Entry:
    protein = options.pop("protein", False)
    return Entry(
        name=name,
        kind="protein" if protein else "dna",
        dimension=dimension,
        context=context,
        licence=licence,
        extra="huggingface",
        note=note.format(model=model),
        maker="ProteinEncoder" if protein else "HuggingFaceEncoder",
        options={"model": model, "name": name, **options},
    )


def _nucleotide_transformer(size: str, dimension: int) -> Entry:
    name = f"nucleotide-transformer-v2-{size}"
    model = f"InstaDeepAI/{name}-multi-species"
    note = f"{NON_COMMERCIAL} {CODE}"
    return _hugging_face(name, model, dimension, "12,282 bases", "CC-BY-NC-SA-4.0", note)


def _nucleotide_transformer_3(size: str, dimension: int) -> Entry:
    model = f"InstaDeepAI/NTv3_{size}_pre"
    return _hugging_face(
        f"nucleotide-transformer-v3-{size.lower()}",
        model,
        dimension,
        "131,072 bases by default, 1,000,000 at most",
        "InstaDeep, non-commercial",
        f"{NON_COMMERCIAL} Nor are its vectors. {CODE}",
        max_tokens=1 << 17,
        multiple_of=128,
    )


def _caduceus(kind: str, dimension: int) -> Entry:
    return _hugging_face(
        f"caduceus-{kind}",
        f"kuleshov-group/caduceus-{kind}_seqlen-131k_d_model-256_n_layer-16",
        dimension,
        "131,072 bases",
        "Apache-2.0",
        f"Needs the package mamba-ssm and an NVIDIA GPU. {CODE}",
        max_tokens=1 << 17,
    )


def _hyenadna(name: str, dimension: int, context: int) -> Entry:
    return Entry(
        name=name,
        kind="dna",
        dimension=dimension,
        context=f"{context:,} bases",
        licence=load_registry().assets[name].licence,
        maker="HyenaDnaEncoder",
        options={"model": name},
    )


def _esm2(size: str, layers: int, dimension: int) -> Entry:
    model = f"facebook/esm2_t{layers}_{size.upper()}_UR50D"
    return _hugging_face(f"esm2-{size}", model, dimension, "1,022 residues", "MIT", protein=True)


def _openai(name: str, dimension: int, price: str) -> Entry:
    return Entry(
        name=name,
        kind="text",
        dimension=dimension,
        context="8,192 tokens",
        licence="terms of OpenAI",
        extra="llm",
        note=f"Texts are sent to OpenAI, at about {price} US dollars per million tokens.",
        maker="OpenAiEncoder",
        options={"model": name},
    )


def _vectors(name: str, dimension: int, asset: str, note: str, member: str | None = None) -> Entry:
    return Entry(
        name=name,
        kind="gene",
        dimension=dimension,
        context="gene symbols",
        licence=load_registry().assets[asset].licence,
        note=note,
        maker="read_vectors",
        options={"asset": asset, "member": member, "name": name},
    )


def catalogue() -> dict[str, Entry]:
    """All encoders that have a name."""
    bert = "512 tokens (about 4,500 bases)"
    entries = [
        Entry(
            name="composition",
            kind="dna",
            dimension=831,
            context="any length",
            licence="BSD-3-Clause",
            note="The default: shares of words, codons and amino acids. Neither weights nor network.",
            maker="CompositionEncoder",
        ),
        _hyenadna("hyenadna-tiny-1k", 128, 1_026),
        _hyenadna("hyenadna-tiny-1k-d256", 256, 1_026),
        _hyenadna("hyenadna-tiny-16k", 128, 16_386),
        _hyenadna("hyenadna-small-32k", 256, 32_770),
        _hyenadna("hyenadna-medium-160k", 256, 160_002),
        _hyenadna("hyenadna-medium-450k", 256, 450_002),
        _hyenadna("hyenadna-large-1m", 256, 1_000_002),
        _hugging_face("gena-lm-base", "AIRI-Institute/gena-lm-bert-base-t2t-multi", 768, bert, "MIT (code)", CODE),
        _hugging_face("gena-lm-large", "AIRI-Institute/gena-lm-bert-large-t2t", 1024, bert, "MIT (code)", CODE),
        _hugging_face(
            "gena-lm-bigbird",
            "AIRI-Institute/gena-lm-bigbird-base-t2t",
            768,
            "4,096 tokens (about 36,000 bases)",
            "MIT (code)",
            "Read with full attention, in place of the random pattern it was trained with.",
        ),
        _nucleotide_transformer("50m", 512),
        _nucleotide_transformer("100m", 512),
        _nucleotide_transformer("250m", 768),
        _nucleotide_transformer("500m", 1024),
        _hugging_face(
            "nucleotide-transformer-500m-human",
            "InstaDeepAI/nucleotide-transformer-500m-human-ref",
            1280,
            "5,994 bases",
            "CC-BY-NC-SA-4.0",
            NON_COMMERCIAL,
        ),
        _nucleotide_transformer_3("8M", 256),
        _nucleotide_transformer_3("650M", 1536),
        _caduceus("ph", 256),
        _caduceus("ps", 512),
        _hugging_face("dnabert-2", "zhihan1996/DNABERT-2-117M", 768, "512 tokens", "Apache-2.0", CODE, max_tokens=512),
        Entry(
            name="enformer",
            kind="dna",
            dimension=3072,
            context="114,688 bases in a window of 196,608",
            licence="CC-BY-4.0",
            extra="pip install enformer-pytorch",
            note="That package fetches and reads the weights; dnaclip verifies nothing of it.",
            maker="EnformerEncoder",
            options={"model": "EleutherAI/enformer-official-rough"},
        ),
        Entry(
            name="evo2-7b",
            kind="dna",
            dimension=4096,
            context="32,768 bases by default, 1,000,000 at most",
            licence="Apache-2.0",
            extra="pip install evo2",
            note="Needs Linux, an NVIDIA GPU and the versions that the page of evo2 names.",
            maker="Evo2Encoder",
            options={"model": "evo2_7b"},
        ),
        _esm2("8m", 6, 320),
        _esm2("35m", 12, 480),
        _esm2("150m", 30, 640),
        _esm2("650m", 33, 1280),
        _esm2("3b", 36, 2560),
        _hugging_face(
            "esmc-300m",
            "biohub/ESMC-300M-hf",
            960,
            "2,046 residues",
            "Cambrian Open",
            "Needs a transformers that knows ESM C.",
            protein=True,
        ),
        _hugging_face(
            "esmc-600m",
            "biohub/ESMC-600M-hf",
            1152,
            "2,046 residues",
            "Cambrian Non-Commercial",
            f"{NON_COMMERCIAL} Needs a transformers that knows ESM C.",
            protein=True,
        ),
        Entry(
            name="all-MiniLM-L6-v2",
            kind="text",
            dimension=384,
            context="256 tokens",
            licence="Apache-2.0",
            extra="text",
            note="The default for text. Other models of sentence-transformers: TextEncoder('owner/model').",
            maker="TextEncoder",
            options={"name": "all-MiniLM-L6-v2"},
        ),
        _openai("text-embedding-3-large", 3072, "0.13"),
        _openai("text-embedding-3-small", 1536, "0.02"),
        _openai("text-embedding-ada-002", 1536, "0.10"),
        _vectors(
            "genept-ada",
            1536,
            "genept-v2",
            "Vectors of NCBI summaries by text-embedding-ada-002; 574 MB to fetch.",
            "GenePT_gene_embedding_ada_text.pickle",
        ),
        _vectors(
            "genept-3-large",
            3072,
            "genept-v2",
            "Vectors of NCBI and UniProt summaries by text-embedding-3-large; 574 MB to fetch.",
            "GenePT_gene_protein_embedding_model_3_text.pickle.",
        ),
        _vectors("gene2vec", 200, "gene2vec", "Vectors of human genes by co-expression; 57 MB to fetch."),
    ]
    return {entry.name: entry for entry in entries}


def list_encoders() -> pd.DataFrame:
    """List the encoders that have a name.

    Returns
    -------
    One row per encoder, indexed by name, with the columns `kind` (what it reads: `dna`, `protein`, `text`, or `gene` for ready
    vectors), `dimension`, `context`, `licence`, `extra` (what to install beside dnaclip) and `note`.

    Examples
    --------
    >>> import dnaclip
    >>> dnaclip.encoders.list().loc["hyenadna-large-1m", ["kind", "context", "licence"]].tolist()
    ['dna', '1,000,002 bases', 'BSD-3-Clause']
    """
    import pandas as pd

    columns = ["kind", "dimension", "context", "licence", "extra", "note"]
    entries = catalogue()
    rows = [[getattr(entry, column) for column in columns] for entry in entries.values()]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(list(entries), name="name"))
