import pytest
import torch
from torch import nn

from course_lib.training import fit_pairs


def small_shift(images, generator):
    return images + 0.1 * torch.randn(images.shape, generator=generator)


def distance(first, second):
    return (first - second).square().mean()


def linear(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 3))


def test_rows_of_the_loss_come_from_the_same_image():
    images = torch.arange(20.0).reshape(20, 1, 1, 1)
    seen = []

    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return self.scale * x.flatten(1)

    def loss(first, second):
        seen.append(first.detach().round())
        assert torch.equal(first, second)
        return first.sum()

    fit_pairs(Counting(), images, lambda x, _: x, loss, epochs=1, batch_size=6, learning_rate=1e-9, progress=False)
    assert [len(batch) for batch in seen] == [6, 6, 6], "the last, smaller batch is left out"
    assert len(torch.cat(seen).unique()) == 18


def test_the_loss_falls_and_the_seed_decides():
    images = torch.rand(64, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    runs = [
        fit_pairs(linear(), images, small_shift, distance, epochs=4, batch_size=16, seed=seed, progress=False)
        for seed in (0, 0, 1)
    ]
    assert len(runs[0]) == 4 and runs[0][-1] < runs[0][0]
    assert runs[0] == runs[1] and runs[0] != runs[2]


def test_the_views_differ_and_the_model_is_left_in_evaluation_mode():
    pairs = []

    def loss(first, second):
        pairs.append((first.detach(), second.detach()))
        return distance(first, second)

    model = linear()
    fit_pairs(model, torch.rand(8, 3, 2, 2), small_shift, loss, epochs=1, batch_size=8, progress=False)
    assert not torch.equal(*pairs[0]) and not model.training


@pytest.mark.parametrize(("epochs", "batch_size"), [(0, 4), (1, 9), (1, 0)])
def test_less_than_one_batch_is_refused(epochs, batch_size):
    with pytest.raises(ValueError, match="at least one full batch"):
        fit_pairs(linear(), torch.rand(8, 3, 2, 2), small_shift, distance, epochs=epochs, batch_size=batch_size)
