import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from course_lib.training import features_of, linear_probe


def clusters(n, seed):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (n,), generator=draw)
    centres = 2.0 * torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    return centres[labels] + 2.0 * torch.randn(n, 5, generator=draw), labels


def test_agrees_with_scikit_learn():
    (known, labels), (asked, truth) = clusters(120, 1), clusters(400, 2)
    mean, deviation = known.mean(0), known.std(0, correction=0)
    oracle = LogisticRegression(C=1 / (0.01 * 120), max_iter=1000, tol=1e-8)
    oracle.fit(((known - mean) / deviation).numpy(), labels.numpy())
    expected = oracle.score(((asked - mean) / deviation).numpy(), truth.numpy())
    assert linear_probe(known, labels, asked, truth) == pytest.approx(expected, abs=0.006)


def test_the_scale_of_a_feature_does_not_matter_and_constants_do_no_harm():
    (known, labels), (asked, truth) = clusters(60, 1), clusters(200, 2)
    stretch = torch.tensor([1.0, 1000.0, 0.001, -5.0, 1.0])
    plain = linear_probe(known, labels, asked, truth)
    assert linear_probe(known * stretch + 7, labels, asked * stretch + 7, truth) == pytest.approx(plain, abs=0.011)
    constant = [torch.cat([part, torch.full((len(part), 1), 3.0)], 1) for part in (known, asked)]
    assert linear_probe(constant[0], labels, constant[1], truth) == pytest.approx(plain, abs=0.011)


@pytest.mark.parametrize("penalty", [1e3, 1e6, 1e9])
@pytest.mark.parametrize("seed", range(20))
def test_a_strong_penalty_leaves_only_the_most_common_class(seed, penalty):
    known = torch.randn(50, 4, generator=torch.Generator().manual_seed(seed))
    labels = torch.tensor([0] * 30 + [1] * 20)
    assert linear_probe(known, labels, known, labels, penalty=penalty) == pytest.approx(0.6)


def test_parts_that_do_not_belong_together_are_refused():
    known, labels = clusters(10, 0)
    with pytest.raises(ValueError, match=r"\[10, 5\] with 9 labels"):
        linear_probe(known, labels[:9], known, labels)


def test_features_come_without_gradients_and_leave_the_modes():
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.Dropout(0.5))
    encoder[1].eval()
    encoder[2].train()
    images = torch.rand(7, 3, 2, 2)
    features = features_of(encoder, images, batch_size=3)
    assert torch.allclose(features, encoder[1](images.flatten(1)))  # no dropout
    assert not features.requires_grad
    assert encoder[2].training and not encoder[1].training
