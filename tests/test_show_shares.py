"""Shares of maps in words and as dots: what notebooks 03 and 04 show of them."""

import matplotlib.pyplot as plt
import pytest

from steerlib import show_shares

SHARES = {"blurred windows": [0.2, 0.4, 0.6], "area of the lines": [0.25, 0.25], "a silent network": []}


@pytest.fixture
def axis(monkeypatch):
    """What was drawn, kept from being shown."""
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    show_shares(SHARES, "Share on the lines", controls=("area",))
    yield plt.gca()
    plt.close("all")


def test_the_numbers_are_said_in_words(capsys, axis):
    assert capsys.readouterr().out.splitlines() == [
        "blurred windows     40% (frames from 20% to 60%)",
        "area of the lines   25% (frames from 25% to 25%)",
        "a silent network   no map",
    ]


def test_each_row_has_a_dot_for_each_frame_and_a_bar_at_the_mean(axis):
    rows = [label.get_text() for label in axis.get_yticklabels()]
    dots, bars = ([line for line in axis.lines if line.get_marker() == marker] for marker in "o|")
    assert rows == list(SHARES)
    assert [line.get_xdata().tolist() for line in dots] == [pytest.approx([20, 40, 60]), pytest.approx([25, 25])]
    assert [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in bars] == [
        pytest.approx((40, 0)),
        pytest.approx((25, 1)),
    ]
    assert [line.get_color() for line in dots] == ["#e08214", "0.6"], "a control is gray"
    assert [text.get_text() for text in axis.texts] == ["zero everywhere"]
    assert axis.get_title() == "Share on the lines: one dot a frame, bars are means"
