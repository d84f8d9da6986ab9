"""Settings of the documentation; `DNACLIP_DOCS_OFFLINE=1` builds it without network."""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

project = "dnaclip"
author = "the dnaclip developers"
copyright = f"2026, {author}"
release = version = installed_version("dnaclip")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_autodoc_typehints",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
    "sphinxcontrib.katex",
    "sphinxext.opengraph",
    "type_names",
]
# autosummary writes its pages with the first suffix.
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
templates_path = ["_templates"]
default_role = "literal"
nitpicky = True
suppress_warnings = [
    # A docstring's list of references is a list, whether or not the text above points into it.
    "ref.footnote",
    # The formatter of types is a function, so it cannot be kept between two builds.
    "config.cache",
]

autosummary_generate = True
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_numpy_docstring = True
# A `Returns` section is prose, because the type stands in the signature; napoleon would link its first line as a type.
napoleon_custom_sections = ["Returns"]
napoleon_use_param = True
napoleon_use_rtype = True
typehints_defaults = "braces"
always_use_bars_union = True
typehints_document_rtype = True

bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# Notebooks are committed with their outputs.
nb_execution_mode = "off"

# The tutorials lie beside this folder, and Sphinx reads what is inside: copies are made at each build.
for notebook in (HERE.parent / "tutorials").glob("*.ipynb"):
    text = notebook.read_text(encoding="utf-8").replace("](../docs/", "](../")
    # Measurements are files of the repository, not pages.
    text = re.sub(r"\[([^\[\]\n]+)\]\(\.\./benchmarks/[^)]+\)", r"`benchmarks/\1`", text)
    copy = HERE / "tutorials" / notebook.name
    copy.parent.mkdir(exist_ok=True)
    if not copy.exists() or copy.read_text(encoding="utf-8") != text:
        copy.write_text(text, encoding="utf-8")

intersphinx_mapping = {
    "anndata": ("https://anndata.readthedocs.io/en/stable/", None),
    "matplotlib": ("https://matplotlib.org/stable/", None),
    "numpy": ("https://numpy.org/doc/stable/", None),
    "pandas": ("https://pandas.pydata.org/docs/", None),
    "python": ("https://docs.python.org/3/", None),
    "scanpy": ("https://scanpy.readthedocs.io/en/stable/", None),
    "scipy": ("https://docs.scipy.org/doc/scipy/", None),
    "sklearn": ("https://scikit-learn.org/stable/", None),
    "torch": ("https://docs.pytorch.org/docs/stable/", None),
}
# What is private has no page to link to; the exceptions are described in words beside the API.
nitpick_ignore_regex = [(r"py:.*", r"dnaclip\.(\w+\.)?_.*")]
if os.environ.get("DNACLIP_DOCS_OFFLINE", "0") == "1":
    # Without the inventories of other projects only our own names can be checked.
    intersphinx_mapping = {}
    nitpick_ignore_regex.append((r"py:.*", r"(?!dnaclip\b).*"))

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_theme_options = {"show_toc_level": 2}
