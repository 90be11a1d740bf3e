"""Draw how the parts of steerlib depend on each other, from their imports: docs/architecture.svg (CONTRIBUTING.md).

Each part stands below those from which it imports. An arrow shows what flows along it: the names that are imported
most. Where two parts import from each other, the way that fewer files go is drawn dashed, and names the modules.
"""

import ast
import re
import sys
import textwrap
from collections import Counter, defaultdict
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "steerlib"
LEFT, WIDTH, SIDE = 20, 570, 330  # pixels: margin, the column of boxes, the text to its right
LINE, GAP = 16, 42  # pixels: of a line of text, and between two rows
LABELED = 2  # names on an arrow
LETTER = 6.9  # pixels: width of a letter of the descriptions, for wrapping
STYLE = (
    "text { font: 13px system-ui, sans-serif; fill: #24292f } .name { font: bold 15px ui-monospace, monospace } "
    ".label { font: 12px ui-monospace, monospace; fill: #57606a } "
    ".box { fill: #eef4fb; stroke: #54708f } .arrow { stroke: #54708f; fill: none; stroke-width: 1.5 } "
    ".back { stroke: #9a6700; fill: none; stroke-width: 1.5; stroke-dasharray: 5 4 } .why { fill: #7d5300 }"
)


class Box(NamedTuple):
    """Where a part is drawn, in pixels."""

    x: float
    y: int
    width: float
    height: int


Edge = tuple[str, str]  # from the part that is imported to the part that imports


def parts() -> dict[str, str]:
    """Give the packages, and the command line, with the first sentence of each."""
    files = {path.parent.name: path for path in PACKAGE.glob("*/__init__.py")} | {"__main__": PACKAGE / "__main__.py"}
    return {name: _first_sentence(path) for name, path in sorted(files.items())}


def imports(known: dict[str, str]) -> dict[Edge, Counter]:
    """Count what each part imports from each other one: (module, importing module, name) -> how often.

    Programs that make the shipped files (``python -m``) count as well; what only type checkers read does not.
    """
    found: dict[Edge, Counter] = defaultdict(Counter)
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).with_suffix("").parts
        if place[0] not in known:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        typing = {
            id(node)
            for block in ast.walk(tree)
            if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
            for node in ast.walk(block)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or id(node) in typing or not node.module:
                continue
            for alias in node.names:
                module = f"{node.module}.{alias.name}" if node.module == "steerlib" else node.module
                target = module.split(".")[1:2]
                if module.startswith("steerlib.") and target[0] in known and target[0] != place[0]:
                    importer = ".".join(part for part in place if part != "__init__")
                    found[target[0], place[0]][module.removeprefix("steerlib."), importer, alias.name] += 1
    return dict(found)


def split_ways(found: dict[Edge, Counter]) -> tuple[list[Edge], list[Edge]]:
    """Tell the edges along which things flow from those that go against them."""

    def files(edge: Edge) -> int:
        return len({importer for _, importer, _ in found.get(edge, ())})

    back = [edge for edge in found if files(edge) < files(edge[::-1])]
    return sorted(set(found) - set(back)), sorted(back)


def rows(known: dict[str, str], forward: list[Edge]) -> list[list[str]]:
    """Put each part below all from which it imports."""
    depth = dict.fromkeys(known, 0)
    for _ in known:
        for upper, lower in forward:
            depth[lower] = max(depth[lower], depth[upper] + 1)
    if max(depth.values()) >= len(known):
        raise ValueError("parts import from each other in a circle: no order from top to bottom")
    return [
        sorted((name for name in known if depth[name] == row), reverse=True) for row in range(max(depth.values()) + 1)
    ]


def shortest(forward: list[Edge]) -> list[Edge]:
    """Leave out an edge where a longer way leads to the same part."""

    def reached(start: str, without: Edge) -> set[str]:
        seen, ahead = set(), [start]
        while ahead:
            here = ahead.pop()
            new = {b for a, b in forward if a == here and (a, b) != without} - seen
            seen |= new
            ahead += new
        return seen

    return [edge for edge in forward if edge[1] not in reached(edge[0], edge)]


def most_imported(names: Counter) -> list[str]:
    """Give the functions and classes that are imported most; constants say little."""
    counts = Counter()
    for (_, _, name), times in names.items():
        counts[name] += times * (not name.isupper())
    return sorted(counts, key=lambda name: (-counts[name], name))[:LABELED]


def draw() -> str:
    """Draw the picture as SVG."""
    known = parts()
    found = imports(known)
    forward, back = split_ways(found)
    grid = rows(known, forward)
    boxes, words, shapes, y = {}, {}, [], LEFT
    for names in grid:
        wide = (WIDTH - GAP * (len(names) - 1)) / len(names)
        words |= {name: textwrap.wrap(known[name], int((wide - 24) / LETTER)) for name in names}
        high = 34 + LINE * max(len(words[name]) for name in names)
        boxes |= {name: Box(LEFT + k * (wide + GAP), y, wide, high) for k, name in enumerate(names)}
        y += high + GAP
    for name, (x, top, wide, high) in boxes.items():
        shapes.append(f'<rect class="box" x="{x:.0f}" y="{top}" width="{wide:.0f}" height="{high}" rx="8"/>')
        title = "python -m steerlib" if name == "__main__" else f"steerlib.{name}"
        shapes.append(f'<text class="name" x="{x + 14:.0f}" y="{top + 22}">{title}</text>')
        for k, line in enumerate(words[name]):
            shapes.append(f'<text x="{x + 14:.0f}" y="{top + 41 + LINE * k}">{escape(line)}</text>')
    for upper, lower in shortest(forward):
        start, end = boxes[upper], boxes[lower]
        narrow = min(start, end, key=lambda box: box.width)
        at, bottom = narrow.x + narrow.width / 2, start.y + start.height
        shapes.append(f'<path class="arrow" d="M{at:.0f} {bottom}V{end.y - 3}" marker-end="url(#head)"/>')
        label = escape(", ".join(most_imported(found[upper, lower])))
        shapes.append(f'<text class="label" x="{at + 9:.0f}" y="{(bottom + end.y) / 2 + 4:.0f}">{label}</text>')
    right = LEFT + WIDTH
    for k, (lower, upper) in enumerate(back):  # the upper part imports from the lower one
        start, end, out = boxes[lower].y + 20 + 16 * k, boxes[upper].y + 42, right + 22 + 14 * k
        shapes.append(f'<path class="back" d="M{right} {start}H{out}V{end}H{right + 4}" marker-end="url(#tip)"/>')
        used = defaultdict(set)
        for module, importer, _ in found[lower, upper]:
            used[importer].add(module)
        for line, (importer, modules) in enumerate(sorted(used.items())):
            text = f"{importer.split('.', 1)[-1]} uses {', '.join(sorted(modules))}".replace(f", {lower}.", ", ")
            shapes.append(f'<text class="label why" x="{out + 8}" y="{end + 4 + LINE * line}">{escape(text)}</text>')
    height = y - GAP + LEFT
    size = f'width="{right + SIDE}" height="{height}" viewBox="0 0 {right + SIDE} {height}"'
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{color}"/></marker>'
        for name, color in (("head", "#54708f"), ("tip", "#9a6700"))
    )
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">',
        "<title id=\"title\">The parts of steerlib, each below those from which it imports</title>",
        f"<style>{STYLE}</style><defs>{heads}</defs>",
        f'<rect width="{right + SIDE}" height="{height}" rx="10" fill="#ffffff"/>',
        *shapes,
        "</svg>\n",
    ])  # fmt: skip


def _first_sentence(path: Path) -> str:
    """Give what a module says of itself in its first line, without the notebook."""
    words = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").splitlines()[0]
    return re.sub(r" \(notebook \d\d\)", "", words).replace("`", "").rstrip(".")


def main() -> None:
    """Write docs/architecture.svg, or the file that is named."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "architecture.svg"
    path.write_text(draw(), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
