import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import data, models, training
from course_lib.data import Labelled


@pytest.fixture(scope="module")
def digits():
    return data.digits()


def points(n=12, classes=3):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(n, 1, 2, 2, generator=generator)
    return Labelled(images, torch.randint(classes, (n,), generator=generator), tuple("abc"))


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def make(seed=0, dropout=0.0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(4, 3))


def _shift_by_one(images, generator):
    return training.flip_and_shift(images, generator, pixels=1)


def test_one_full_batch_step_by_the_gradient_of_softmax_regression():
    model, train = make(), points()
    weight, bias = (parameter.detach().double().numpy() for parameter in model.parameters())
    x, one_hot = train.images.flatten(1).double().numpy(), np.eye(3)[train.labels.numpy()]
    scores = np.exp(x @ weight.T + bias)
    share = scores / scores.sum(1, keepdims=True)
    expected_weight = weight - 0.5 * (share - one_hot).T @ x / len(x)
    expected_bias = bias - 0.5 * (share - one_hot).mean(0)

    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    history = training.fit(model, train, epochs=1, optimizer=optimizer, batch_size=100, progress=False)
    np.testing.assert_allclose(model[2].weight.detach(), expected_weight, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model[2].bias.detach(), expected_bias, rtol=1e-5, atol=1e-7)
    assert history.last().train_loss == pytest.approx(-np.log((share * one_hot).sum(1)).mean(), rel=1e-5)
    assert history.last().train_accuracy == (share.argmax(1) == one_hot.argmax(1)).mean()


def test_learns_real_digits(digits):
    torch.manual_seed(0)
    model = models.MLP([64, 64, 10])
    history = training.fit(model, digits.train, digits.test, epochs=12, progress=False)
    assert history.last().test_accuracy > 0.93
    assert history.last().test_accuracy == training.evaluate(model, digits.test).accuracy
    assert history.train_loss[-1] < history.train_loss[0] / 3
    assert {len(values) for values in vars(history).values()} == {12}
    assert all(seconds > 0 for seconds in history.seconds)
    assert history.learning_rate == [1e-3] * 12


def test_measurements_are_means_over_images_also_with_a_short_last_batch():
    """A learning rate of 0 leaves the model as it is, so training must measure what evaluate does."""
    model, train = make(), points(11)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    history = training.fit(model, train, train, epochs=2, optimizer=optimizer, batch_size=4, progress=False)
    expected = training.evaluate(model, train)
    assert history.train_loss == pytest.approx([expected.loss] * 2, rel=1e-5)
    assert history.train_accuracy == pytest.approx([expected.accuracy] * 2)
    assert history.test_loss == [expected.loss] * 2


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_seed_decides_everything(dropout):
    def train(seed, state_of_the_world):
        model = make(dropout=dropout)
        torch.manual_seed(state_of_the_world)
        training.fit(model, points(), epochs=2, batch_size=5, seed=seed, augment=_shift_by_one, progress=False)
        return weights(model)

    assert torch.equal(train(3, 0), train(3, 1))
    assert not torch.equal(train(3, 0), train(4, 0))


def test_the_callers_random_stream_goes_on_as_if_nothing_happened():
    model = make(dropout=0.5)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    training.fit(model, points(), epochs=1, progress=False)
    assert torch.equal(torch.rand(3), expected)


def test_the_scheduler_steps_after_every_batch():
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    history = training.fit(
        model, points(12), epochs=3, optimizer=optimizer, scheduler=scheduler, batch_size=5, progress=False
    )
    assert history.learning_rate == [2.0**-3, 2.0**-6, 2.0**-9]  # three batches of 5, 5 and 2


def test_trains_in_training_mode_and_ends_in_evaluation_mode():
    modes = []

    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x):
            modes.append(self.training)
            return self.layer(x.flatten(1))

    model = Watching().eval()
    training.fit(model, points(), points(), epochs=2, batch_size=6, progress=False)
    assert modes == [True, True, False] * 2
    assert not model.training


def test_augmentation_changes_training_images_only():
    calls = []

    def erase(images, generator):
        calls.append(torch.rand(1, generator=generator).item())
        return torch.zeros_like(images)

    model, train = make(), points()
    before = train.images.clone()
    training.fit(model, train, train, epochs=2, batch_size=6, augment=erase, progress=False)
    assert len(set(calls)) == 4
    assert torch.equal(train.images, before)
    assert not torch.equal(weights(model), weights(make()))  # the bias still learned
    assert torch.equal(model[2].weight, make()[2].weight)  # from black pictures no weight can


def test_another_loss():
    model, other = make(), make()
    options = {"epochs": 1, "progress": False}
    training.fit(model, points(), loss=lambda logits, labels: 3 * F.cross_entropy(logits, labels), **options)
    history = training.fit(other, points(), **options)
    tripled = training.fit(make(), points(), loss=lambda logits, labels: 3 * F.cross_entropy(logits, labels), **options)
    assert tripled.train_loss[0] == pytest.approx(3 * history.train_loss[0])


def test_a_step_of_your_own_sees_the_images():
    """Distillation in one line: the student is drawn to the teacher's scores, labels unused."""
    teacher, student = make(1).eval(), make(2)

    def imitate(model, images, labels):
        logits = model(images)
        return F.mse_loss(logits, teacher(images).detach()), logits

    optimizer = torch.optim.SGD(student.parameters(), lr=0.3)
    history = training.fit(student, points(), epochs=200, optimizer=optimizer, step=imitate, progress=False)
    assert history.last().train_loss < 1e-3 < history.train_loss[0]
    torch.testing.assert_close(weights(student), weights(teacher), atol=0.05, rtol=0)


def test_images_without_an_epoch_change_nothing():
    model = make()
    assert len(training.fit(model, points(), epochs=0, progress=False)) == 0
    assert torch.equal(weights(model), weights(make()))


def test_progress_bar_is_shown_on_request_alone(capsys):
    training.fit(make(), points(), epochs=1, progress=False)
    assert capsys.readouterr() == ("", "")
    training.fit(make(), points(), epochs=1)
    assert "epoch 1 of 1" in capsys.readouterr().err


def test_an_optimizer_of_another_model_is_refused():
    optimizer = torch.optim.SGD(make().parameters(), lr=0.1)
    with pytest.raises(ValueError, match="holds none of the model's parameters"):
        training.fit(make(), points(), epochs=1, optimizer=optimizer)


@pytest.mark.parametrize(
    ("n", "arguments", "words"),
    [
        (0, {"epochs": 1}, "not 0 images"),
        (3, {"epochs": -1}, "epochs=-1"),
        (3, {"epochs": 1, "batch_size": 0}, "batch_size=0"),
    ],
)
def test_refusals(n, arguments, words):
    with pytest.raises(ValueError, match=words):
        training.fit(make(), points().take(n), **arguments)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_on_the_gpu(digits):
    model = models.MLP([64, 64, 10])
    history = training.fit(model, digits.train, digits.test, epochs=12, device="cuda", progress=False)
    assert next(model.parameters()).is_cuda
    assert history.last().test_accuracy > 0.93
