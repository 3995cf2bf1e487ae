"""What happened during training, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Epoch", "History"]


class Epoch(NamedTuple):
    """The measurements of one epoch; the test values are None where no test images were given."""

    train_loss: float
    train_accuracy: float
    test_loss: float | None
    test_accuracy: float | None
    learning_rate: float
    seconds: float


@dataclass
class History:
    """One value per epoch in each list.

    train_loss, test_loss  mean loss per image; cross-entropy is in nats.
    train_accuracy, test_accuracy  share of images classified correctly, 0 to 1. The training values are averages over
        the epoch, while the weights moved; the test values belong to its end. Empty without test images.
    learning_rate  of the optimizer's first parameter group, after the epoch's last batch.
    seconds  wall-clock time of the epoch's training, without the test.
    """

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.train_loss)

    def last(self) -> Epoch:
        """The last epoch's values, by name: `history.last().test_accuracy`."""
        if not len(self):
            raise ValueError("this history is empty: no epoch was trained")
        return Epoch(
            self.train_loss[-1],
            self.train_accuracy[-1],
            self.test_loss[-1] if self.test_loss else None,
            self.test_accuracy[-1] if self.test_accuracy else None,
            self.learning_rate[-1],
            self.seconds[-1],
        )

    def plot(self, title: str = "Training") -> Figure:
        """Loss and accuracy against the epoch, side by side, as a matplotlib Figure.

        A notebook shows it when the call is the last line of a cell, or inside `display(...)`.

        Raises ValueError if no epoch was trained.
        """
        self.last()
        from matplotlib import pyplot as plt
        from matplotlib.ticker import MaxNLocator

        figure, (loss, accuracy) = plt.subplots(1, 2, figsize=(8.0, 3.2), layout="constrained")
        epochs = range(1, len(self) + 1)
        for name, style in (("train", "--"), ("test", "-")):
            losses, accuracies = getattr(self, f"{name}_loss"), getattr(self, f"{name}_accuracy")
            if losses:
                loss.plot(epochs, losses, style, marker=".", label=name)
                accuracy.plot(epochs, [100 * share for share in accuracies], style, marker=".", label=name)
        loss.set(title="Loss", xlabel="epoch", ylabel="mean loss per image (nats)")
        accuracy.set(title="Accuracy", xlabel="epoch", ylabel="correct images (%)")
        for axes in (loss, accuracy):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend()
        figure.suptitle(title)
        plt.close(figure)  # else a notebook shows it twice: once as the cell's value, once as an open figure
        return figure
