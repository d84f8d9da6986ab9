"""Write the entries of dnaclip's own files into registry.yaml, for maintainers after a model was trained.

    python scripts/register_assets.py                 # files below src/dnaclip/datasets/bundled and below assets/
    python scripts/register_assets.py --check         # only say whether the registry is up to date

`assets/` holds the files that are published rather than bundled, laid out as on a mirror. Entries of files that lie in
neither place are kept if they have a url of their own (a text encoder of others) or are labels of the benchmark, and
dropped otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from dnaclip.datasets import EmbeddingTable
from dnaclip.datasets._registry import REGISTRY_FILE, load_registry

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (ROOT / "src/dnaclip/datasets/bundled", ROOT / "assets")
LICENCE = "BSD-3-Clause"


def describe(folder: Path, path: Path) -> dict[str, Any]:
    """Make the entry of one file: a table tells what it is itself, a model's folder has a config.json."""
    file = path.relative_to(folder).as_posix()
    content = path.read_bytes()
    entry = {"file": file, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    if "/" in file:
        config = json.loads((folder / file.split("/")[0] / "config.json").read_text(encoding="utf-8"))
        facts = {"kind": "model-file", "model": file.split("/")[0], "dimension": config.get("dimension")}
        name = file.replace("/", ".")
    else:
        table = EmbeddingTable.load(path)
        facts = {"kind": "embeddings", "species": table.species, "model": table.model, "dimension": table.dimension}
        name = path.stem
    known = {key: value for key, value in facts.items() if value is not None}
    return {"name": name, **entry, **known, "licence": LICENCE}


def main() -> int:
    """Rewrite the registry, or say what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 if something would change")
    only_check = parser.parse_args().check

    files = [(folder, path) for folder in FOLDERS for path in sorted(folder.rglob("*")) if path.is_file()]
    own = [describe(folder, path) for folder, path in files if not path.name.startswith(".")]
    text = REGISTRY_FILE.read_text(encoding="utf-8")
    # The comments at the top are kept as they are.
    head, _, _ = text.partition("\nassets:")
    others = [entry for entry in yaml.safe_load(text)["assets"] if entry.get("url") or entry["kind"] == "benchmark"]
    entries = yaml.safe_dump({"assets": own + others}, sort_keys=False, allow_unicode=True, width=120)
    fresh = f"{head}\n{entries}"
    if fresh == text:
        print(f"{REGISTRY_FILE} is up to date: {len(own)} own files.")
        return 0
    if only_check:
        print(f"{REGISTRY_FILE} is out of date: run scripts/register_assets.py.")
        return 1
    REGISTRY_FILE.write_text(fresh, encoding="utf-8")
    registry = load_registry()
    print(f"Wrote {REGISTRY_FILE}: {len(own)} own files, {len(registry.assets)} in all.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
