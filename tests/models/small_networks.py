"""What the networks promise, tested the same way for each family."""

import functools
import re

import pytest
import torch

from course_lib import measure, models


@functools.cache
def counted(name: str, size: int, **arguments) -> measure.Counts:
    """The cost of one picture [3, size, size], without memory for weights or activations."""
    with torch.device("meta"):
        return measure.count(getattr(models, name)(**arguments), torch.zeros(1, 3, size, size))


def assert_docstring_counts(name: str, size: int) -> None:
    """The docstring states parameters in full, and multiply-accumulates to the digits it gives."""
    make, counts = getattr(models, name), counted(name, size)
    assert counts.uncounted == ()
    assert f"{counts.parameters:,} parameters" in make.__doc__
    figure, unit = re.search(r"([\d.]+) ([MG])MAC", make.__doc__).groups()
    decimals = len(figure.partition(".")[2])
    assert f"{counts.macs / {'M': 1e6, 'G': 1e9}[unit]:.{decimals}f}" == figure


def assert_least_picture(name: str, size: int) -> None:
    """The docstring states the least height and width; one less is too small."""
    assert str(size) == re.search(r"H(?:,|\s+and) W (?:are )?at least (\d+)", getattr(models, name).__doc__)[1]
    with torch.device("meta"):
        model = getattr(models, name)().eval()
        model(torch.zeros(1, 3, size, size))
        with pytest.raises(RuntimeError, match=r"too small|greater than|at least"):
            model(torch.zeros(1, 3, size - 1, size - 1))


def assert_takes_pictures(name: str, sizes: tuple[tuple[int, int], ...], **arguments) -> None:
    """Any of the sizes, with any number of classes and channels."""
    model = getattr(models, name)(num_classes=7, in_channels=1, **arguments).eval()
    with torch.no_grad():
        for height, width in sizes:
            assert model(torch.zeros(2, 1, height, width)).shape == (2, 7)


def assert_width_scales(name: str, widths: tuple[int, ...]) -> None:
    """Convolutions have width squared parameters, so doubling the width takes 3 to 4 times as many."""
    with torch.device("meta"):
        sizes = [sum(p.numel() for p in getattr(models, name)(width=width).parameters()) for width in widths]
    for narrow, wide, one, two in zip(sizes, sizes[1:], widths, widths[1:], strict=False):
        assert 1.6 < (wide / narrow) ** (1 / (two / one - 1)) <= 4.1


def assert_learns_a_batch(name: str, **arguments) -> None:
    """Gradients reach every parameter, and a few steps tell two kinds of pictures apart."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(models, name)(num_classes=2, **arguments)
        pictures, labels = torch.rand(8, 3, 32, 32), torch.arange(8) % 2
        pictures[::2, 0] -= 1  # red is missing from every second picture
        optimizer = torch.optim.Adam(model.parameters(), 2e-3)
        losses = []
        for _ in range(15):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(pictures), labels)
            loss.backward()
            missing = [key for key, own in model.named_parameters() if own.grad is None or not own.grad.any()]
            assert losses or not missing, f"no gradient in the first step: {missing}"
            optimizer.step()
            losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0], losses
