import pytest
from matplotlib import pyplot as plt

from course_lib.training import Epoch, History

HISTORY = History(
    train_loss=[2.0, 1.0],
    train_accuracy=[0.25, 0.5],
    test_loss=[2.5, 1.5],
    test_accuracy=[0.2, 0.4],
    learning_rate=[0.1, 0.01],
    seconds=[3.0, 4.0],
)
WITHOUT_TEST = History(train_loss=[2.0], train_accuracy=[0.25], learning_rate=[0.1], seconds=[3.0])


def test_last_epoch_by_name():
    assert HISTORY.last() == Epoch(1.0, 0.5, 1.5, 0.4, 0.01, 4.0)
    assert HISTORY.last().test_accuracy == 0.4
    assert WITHOUT_TEST.last().test_loss is None
    assert len(HISTORY) == 2


def test_figure_shows_both_curves_with_titles_and_units():
    figure = HISTORY.plot(title="Small network")
    loss, accuracy = figure.axes
    assert figure.get_suptitle() == "Small network"
    assert (loss.get_title(), accuracy.get_title()) == ("Loss", "Accuracy")
    assert loss.get_xlabel() == accuracy.get_xlabel() == "epoch"
    assert "nats" in loss.get_ylabel() and "%" in accuracy.get_ylabel()
    curves = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in accuracy.lines}
    assert curves == {"train": ([1, 2], [25, 50]), "test": ([1, 2], [20, 40])}
    assert [list(line.get_ydata()) for line in loss.lines] == [[2.0, 1.0], [2.5, 1.5]]
    assert {text.get_text() for text in loss.get_legend().get_texts()} == {"train", "test"}


def test_figure_without_test_images_has_one_curve():
    assert [len(axes.lines) for axes in WITHOUT_TEST.plot().axes] == [1, 1]


def test_epochs_are_whole_numbers_on_the_axis():
    figure = HISTORY.plot()
    figure.canvas.draw()
    ticks = [tick for tick in figure.axes[0].get_xticks() if 1 <= tick <= 2]
    assert ticks == [1, 2]


def test_leaves_no_figure_open():
    before = plt.get_fignums()
    HISTORY.plot()
    assert plt.get_fignums() == before


def test_an_empty_history_says_so():
    for call in (History().last, History().plot):
        with pytest.raises(ValueError, match="no epoch was trained"):
            call()
