"""Figures are tested in matplotlib's own style, whatever style a notebook started earlier in this process has set."""

import matplotlib as mpl
import pytest


@pytest.fixture(autouse=True)
def plain_figure_style():
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.use("agg")
        yield
