"""Make the picture at the top of the README from the figures of a demo, for maintainers.

make demo
python scripts/readme_picture.py demo-output        # writes docs/_static/demo.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

OUT = Path(__file__).resolve().parents[1] / "docs" / "_static" / "demo.png"
FIGURES = ("gene_map.png", "program_heatmap.png")
WIDTH = 1800


def main() -> None:
    """Put the figures side by side, at one scale, each in the middle of the height."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path, help="output folder of the demo")
    folder = parser.parse_args().demo
    figures = [Image.open(folder / name).convert("RGB") for name in FIGURES]
    height = max(figure.height for figure in figures)
    picture = Image.new("RGB", (sum(figure.width for figure in figures), height), "white")
    left = 0
    for figure in figures:
        picture.paste(figure, (left, (height - figure.height) // 2))
        left += figure.width
    picture = picture.resize((WIDTH, round(height * WIDTH / left)), Image.Resampling.LANCZOS)
    OUT.parent.mkdir(exist_ok=True)
    picture.save(OUT, optimize=True)
    print(f"{OUT}: {picture.width} x {picture.height}, {OUT.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
