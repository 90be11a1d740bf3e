"""The book: the notebooks as they are stored, and the interface from the docstrings (``make book``).

The source folder is the repository's root, so that links between the README, the notebooks and the data lead to the
same places here as in a checkout. Nothing is executed, and nothing is loaded from elsewhere when a page is read.
"""

import json
import os
import re
import shutil
import sys
from html import escape
from pathlib import Path

import ziamath
from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from steerlib.drives import formats  # noqa: E402
from steerlib.maps import METHODS  # noqa: E402

project = "Why did the network steer there?"
author = "the authors of steerlib"
html_title = project
# Where the website will stand, such as STEERLIB_SITE=https://example.org/steering/: a sitemap and the picture that
# other sites show beside a link need whole addresses. Without it neither is written.
html_baseurl = os.environ.get("STEERLIB_SITE", "")
if html_baseurl and not re.fullmatch(r"https?://[^/]+/([^?#]+/)?", html_baseurl):
    raise ValueError(f"STEERLIB_SITE={html_baseurl!r}: expected a whole address with a slash at its end, https://.../")
root_doc = "README"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = [
    "README.md",
    "TEACHING.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "benchmarks/README.md",
    "data/README.md",
    "data/sample_drive/README.md",
    "docs/*.md",
    "notebooks/*.ipynb",
    "notebooks/solutions/*.ipynb",
]
exclude_patterns = [".venv", "benchmarks/.venv", "docs/_build", "**/.ipynb_checkpoints", "**/.pytest_cache"]

nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # CommonMark, the default, has no tables
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say shape, dtype, range, unit and sign
default_role = "py:obj"
napoleon_use_rtype = False

html_theme = "furo"
# Ziamath carries STIX Two Math: without such a font, which not every machine has, braces and fractions go wrong.
MATH_FONT = Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf"
PREVIEW = ROOT / "data" / "gallery.png"
html_static_path = ["book.css", str(MATH_FONT), str(PREVIEW)]
html_css_files = ["book.css"]
html_copy_source = False
html_show_sphinx = False
templates_path = []

CONTENTS = """

```{toctree}
:hidden:
:caption: Notebooks
:glob:

notebooks/[0-9]*
```

```{toctree}
:hidden:
:caption: Solutions
:glob:

notebooks/solutions/*
```

```{toctree}
:hidden:
:caption: Guides and reference

docs/explore
TEACHING
docs/donkeycar
CONTRIBUTING
SECURITY
CHANGELOG
data/README
benchmarks/README
data/sample_drive/README
docs/reference
```
"""
MODULE = """### {0}

```{{eval-rst}}
.. automodule:: {0}
   :members:
```
"""
GALLERY = "One curve of a road, and what ten methods say steers there: they contradict each other."
THIN = '<mspace width="0.17em"></mspace>'
RUN = """```{note}
This is an explorer: in JupyterLab it has sliders. A page has no kernel, so it shows one picture of it. To move
them, run `make lab` and open `%s`; [here](/docs/explore.md) are a dozen scenes to explore without Python.
```"""
EXPLORER = """``````{raw} html
<div id="steerlib-explore">
<label for="steerlib-scene">scene</label> <select id="steerlib-scene"></select>
<label for="steerlib-map">map</label> <select id="steerlib-map"></select>
<div></div>
<p></p>
</div>
<script src="../_static/scenes.js"></script>
<script type="module">
%s
</script>
``````"""


def prepare(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add the table of contents to the README, methods and formats to the reference, to each explorer how to run it."""
    if docname == root_doc:
        source[0] += CONTENTS
    elif docname == "docs/reference":
        for what, modules in (
            ("methods", [method.make.__module__ for method in METHODS.values()]),
            ("formats", [module.__name__ for module in formats.known()]),
        ):
            source[0] = source[0].replace(f"<!-- {what} -->", "\n".join(map(MODULE.format, modules)))
    elif docname == "docs/explore":
        source[0] = source[0].replace("<!-- explorer -->", EXPLORER % explorer())
    elif docname.startswith("notebooks/"):
        notebook = json.loads(source[0])
        cells = []
        for cell in notebook["cells"]:
            cells.append(cell)
            if cell["cell_type"] == "code" and re.search(r"^explorers\.", "".join(cell["source"]), re.MULTILINE):
                words = RUN % f"{Path(docname).name}.ipynb"
                cells.append({"cell_type": "markdown", "id": f"{cell['id']}-run", "metadata": {}, "source": words})
        notebook["cells"] = cells
        source[0] = json.dumps(notebook)


def explorer() -> str:
    """Give the script of the page with scenes: the explorers' own, as one, since a page may be read from a file."""
    view = (ROOT / "steerlib" / "show" / "explorers" / "view.js").read_text("utf-8")
    view = view.replace("export default {", "const view = {").replace("export function", "function")
    return view + (ROOT / "docs" / "explore.js").read_text("utf-8")


def alternatives(notebook: dict) -> list[str]:
    """Give the alternative texts of a notebook's pictures, in their order."""
    return [
        output["metadata"].get(kind, {}).get("alt", "")
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
        if kind.startswith("image/")
    ]


def describe_pictures(app: Sphinx, doctree: nodes.document) -> None:
    """Put the words that are stored with a notebook's pictures into the page: MyST-NB leaves them out."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix == ".ipynb":
        shown = [image for image in doctree.findall(nodes.image) if "cell_output" in _classes_above(image)]
        for image, words in zip(shown, alternatives(json.loads(path.read_text("utf-8"))), strict=True):
            image["alt"] = words


def _classes_above(node: nodes.Node) -> list[str]:
    return [] if node is None else [*getattr(node, "attributes", {}).get("classes", []), *_classes_above(node.parent)]


def write_math(translator: nodes.NodeVisitor, node: nodes.math | nodes.math_block) -> None:
    """Write a formula as MathML, which browsers draw without a script."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    formula = convert(node.astext(), display=display)
    # The converter sets "2 arctan x" without the spaces that TeX puts beside a function.
    formula = re.sub(r"(?<=</m[ni]>)(?=<mi>[a-z]{2,}</mi>)|(?<=[a-z]{2}</mi>)(?=<m[ni]>)", THIN, formula)
    translator.body.append(formula)
    raise nodes.SkipNode


def address_of(pagename: str) -> str:
    """Give the whole address of a page; the first one is the site's."""
    return html_baseurl + ("" if pagename == root_doc else f"{pagename}.html")


def preview(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, object], doctree: nodes.document | None
) -> None:
    """Give a page a description, and what other sites show beside a link to it: Open Graph, https://ogp.me."""
    if doctree is None:
        return
    paragraphs = [" ".join(one.astext().split()) for one in doctree.findall(nodes.paragraph)]
    about = next((words for words in paragraphs if len(words) > 60), project)
    about = about if len(about) <= 200 else about[:200].rsplit(" ", 1)[0] + " …"
    title = app.env.titles[pagename].astext()
    graph = {"title": title, "description": about, "type": "article", "site_name": project}
    if html_baseurl:
        context["pageurl"] = address_of(pagename)  # Sphinx's own name for it: the page's canonical address, too
        image = f"{html_baseurl}_static/{PREVIEW.name}"
        graph |= {"url": context["pageurl"], "image": image, "image:alt": GALLERY}
    tags = {'name="description"': about, 'name="twitter:card"': "summary_large_image"}
    tags |= {f'property="og:{name}"': words for name, words in graph.items()}
    context["metatags"] += "".join(f'<meta {tag} content="{escape(words)}">\n' for tag, words in tags.items())


def finish(app: Sphinx, error: Exception | None) -> None:
    """Let the book begin at its index, too, and list its pages for search engines."""
    if error is not None:
        return
    shutil.copy(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")
    if html_baseurl:
        pages = sorted(map(address_of, app.env.found_docs))
        addresses = "".join(f"<url><loc>{escape(page)}</loc></url>\n" for page in pages)
        head = '<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        (Path(app.outdir) / "sitemap.xml").write_text(f"{head}{addresses}</urlset>\n", "utf-8")


def setup(app: Sphinx) -> None:
    """Tell Sphinx of the above."""
    app.connect("source-read", prepare)
    app.connect("doctree-read", describe_pictures)
    app.connect("html-page-context", preview)
    app.connect("build-finished", finish)
    app.add_html_math_renderer("mathml", (write_math, None), (write_math, None))
