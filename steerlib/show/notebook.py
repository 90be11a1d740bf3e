"""Pictures, tables and films in a notebook's cells, with words for those who cannot see them (all notebooks)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ipywidgets import Output
    from matplotlib.figure import Figure

BAR = 0.65  # inches: height of a color bar below the pictures


def in_words(angle: float, digits: int = 0) -> str:
    """Give an angle with its side: +23.4 becomes "+23° right".

    Parameters
    ----------
    angle : float
        Degrees of the steering wheel, positive to the right.
    digits : int
        Behind the decimal point. What they show as zero is called straight.
    """
    shown = round(float(angle), digits) + 0.0  # no negative zero
    return f"{shown:+.{digits}f}° " + ("right" if shown > 0 else "left" if shown < 0 else "straight")


def show_pictures(
    pictures: Sequence[np.ndarray],
    titles: Sequence[str],
    columns: int,
    bars: Sequence[np.ndarray] = (),
    width: float = 10,
) -> None:
    """Show pictures in rows, each below its title, and color bars below them.

    Parameters
    ----------
    pictures : sequence of (H, W, 3) uint8, or float32 in [0, 1]
        Of about the same proportions.
    titles : sequence of str
        One for each picture; together they are the alternative text.
    columns : int
        Pictures in a row.
    bars : sequence of (h, w, 3) uint8
        Color bars (`steerlib.overlay.colorbar`): one for all pictures, or one for each column.
    width : float
        Of all of it, in inches.

    Raises
    ------
    ValueError
        If there is no picture, or not a title for each.
    """
    import matplotlib.pyplot as plt

    if not len(pictures) or len(pictures) != len(titles):
        raise ValueError(f"{len(pictures)} pictures and {len(titles)} titles: expected one title for each picture")
    high, wide = pictures[0].shape[:2]
    heights = [width / columns * high / wide + 0.3] * -(-len(pictures) // columns) + [BAR] * bool(len(bars))
    figure = plt.figure(figsize=(width, sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    places = [grid[divmod(k, columns)] for k in range(len(pictures))]
    places += [grid[-1, k] if len(bars) > 1 else grid[-1, :] for k in range(len(bars))]
    for place, picture, title in zip(places, [*pictures, *bars], [*titles, *[""] * len(bars)]):
        axis = figure.add_subplot(place)
        axis.set_title(title, fontsize=10)
        axis.imshow(picture)
        axis.axis("off")
    show_figure(figure, "; ".join(titles))


def show_maps(
    views: Sequence[np.ndarray],
    maps: Sequence[np.ndarray | None],
    titles: Sequence[str],
    columns: int,
    unit: str | Sequence[str],
    signed: bool | None = True,
    limit: float | None = None,
    width: float = 10,
) -> None:
    """Show maps over what their network saw, in rows, and below them the color bar of the scale that they share.

    In a signed map red is right and blue is left, and an arrow marks the peak of each side.

    Parameters
    ----------
    views : sequence of (H, W, 3) uint8
        One for each map.
    maps : sequence of (h, w)
        None: the view without a map.
    titles, columns, width
        See `show_pictures`.
    unit : str, or sequence of str
        Of the maps, in ASCII. One for each column: each column has a scale and a color bar of its own.
    signed : bool, optional
        None: where a value of the scale's maps is negative.
    limit : float, optional
        The value in the strongest color. None: `steerlib.overlay.common_limit`, as a round number.
    """
    from steerlib.show import overlay

    units = [unit] if isinstance(unit, str) else unit
    pictures, bars = [overlay.enlarge(view, 600) for view in views], []
    for first, unit in enumerate(units):
        drawn = {k: maps[k] for k in range(first, len(maps), len(units)) if maps[k] is not None}
        sides = any(np.min(map) < 0 for map in drawn.values()) if signed is None else signed
        scale = limit
        if limit is None:
            scale = float(f"{overlay.common_limit(drawn.values()):.1g}") if drawn else 0.0
        for k, map in drawn.items():
            picture = overlay.overlay(pictures[k], map, scale, sides)
            pictures[k] = overlay.mark_peaks(picture, map, scale) if sides else picture
        bar = overlay.colorbar(round(48 * width) if len(units) == 1 else 330, scale, sides, unit)
        bars.append(bar if drawn else np.full_like(bar, 255))
    show_pictures(pictures, titles, columns, bars, width)


def show_figure(figure: Figure, words: str) -> None:
    """Show a figure as JPEG, which suits photographs, and close it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    words : str
        The alternative text.
    """
    import matplotlib.pyplot as plt
    from IPython.display import Image, display

    figure.savefig(file := BytesIO(), format="jpeg", dpi=100, pil_kwargs={"quality": 88})
    plt.close(figure)
    display(Image(file.getvalue(), format="jpeg", alt=words))


def show_shares(shares: Mapping[str, Sequence[float]], title: str, controls: Sequence[str] = ()) -> None:
    """Compare what maps scored on many frames: a row of dots for each of them, and the numbers in words.

    Parameters
    ----------
    shares : dict of str to sequence of float in [0, 1]
        One row for each name, a dot for each frame, and a bar at their mean. Empty: every map was zero.
    title : str
    controls : sequence of str
        Rows with one of these words in their names are gray.
    """
    import matplotlib.pyplot as plt

    _, axis = plt.subplots(figsize=(9, 0.8 + 0.4 * len(shares)), layout="constrained")
    for y, (name, values) in enumerate(shares.items()):
        found = "no map"
        if len(values):
            found = f"{np.mean(values):4.0%} (frames from {min(values):.0%} to {max(values):.0%})"
            color = "0.6" if any(word in name for word in controls) else "#e08214"
            axis.plot(100 * np.array(values), np.full(len(values), y), "o", color=color, alpha=0.5)
            axis.plot(100 * np.mean(values), y, "|", color="black", markersize=18, markeredgewidth=2)
        else:
            axis.annotate("zero everywhere", (0, y), va="center")
        print(f"{name:{max(map(len, shares))}}  {found}")
    axis.set(yticks=range(len(shares)), yticklabels=shares, ylim=(len(shares) - 0.5, -0.5), xlabel="percent")
    axis.set_title(f"{title}: one dot a frame, bars are means")
    plt.show()


def show_table(rows: Iterable[Sequence[object]]) -> None:
    """Show rows of words or numbers as a table; the first one is its head."""
    from IPython.display import Markdown, display

    head, *others = [[str(cell) for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *others]
    display(Markdown("\n".join("| " + " | ".join(line) + " |" for line in lines)))


def show_film(path: Path | str, words: str) -> None:
    """Embed a film, which waits until the reader starts it and repeats itself, and say how large it is.

    Parameters
    ----------
    path : path
        An MP4 or WebM file.
    words : str
        The alternative text.
    """
    from html import escape

    from IPython.display import Video, display

    attributes = f'controls loop muted playsinline aria-label="{escape(words)}"'
    display(Video(str(path), embed=True, html_attributes=attributes))
    print(f"{Path(path).name}: {Path(path).stat().st_size / 1e6:.1f} MB")


def show_box() -> Output:
    """Show a box of a few lines that scrolls, for what a training prints: ``with show_box(): train(...)``.

    It is a widget, whose lines are not stored in the notebook.
    """
    from IPython.display import display
    from ipywidgets import Output

    box = Output(layout={"max_height": "110px", "overflow": "auto", "border": "1px solid silver"})
    display(box)
    return box
