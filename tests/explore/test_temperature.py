import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from course_lib.explore.temperature import choose, draw_choice, tune_temperature
from tests.examples import examples

PNG = b"\x89PNG\r\n"


@examples(40)
@given(
    similarities=st.lists(st.floats(-1, 1), min_size=2, max_size=9),
    place=st.floats(0, 0.999),
    temperature=st.floats(0.01, 10),
)
def test_agrees_with_torch(similarities, place, temperature):
    positive = int(place * len(similarities))
    choice = choose(similarities, positive, temperature)
    logits = (torch.tensor(similarities, dtype=torch.float64) / temperature).requires_grad_()
    loss = F.cross_entropy(logits, torch.tensor(positive))
    loss.backward()
    assert choice.loss == pytest.approx(loss.item(), abs=1e-9)
    np.testing.assert_allclose(choice.probability, logits.detach().softmax(0).numpy(), atol=1e-12)
    entropy = torch.distributions.Categorical(logits=logits.detach()).entropy()
    assert choice.effective == pytest.approx(entropy.exp().item())
    push = np.delete(logits.grad.numpy(), positive)
    if push.sum() > 1e-100:
        assert choice.hardest == pytest.approx(push.max() / push.sum())


def test_the_extremes():
    cold, hot = (choose([0.9, 0.8, 0.1], 0, temperature) for temperature in (0.001, 1000))
    assert cold.effective == pytest.approx(1) and cold.hardest == pytest.approx(1) and cold.loss == pytest.approx(0)
    assert hot.effective == pytest.approx(3) and hot.hardest == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([[0.1, 0.2]], 0, 1.0), ValueError, "at least 2 keys"),
        (([0.1], 0, 1.0), ValueError, "at least 2 keys"),
        (([0.1, 0.2], 0, 0.0), ValueError, "above 0"),
        (([0.1, 0.2], 2, 1.0), IndexError, "0 to 1, not 2"),
    ],
)
def test_other_input_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        choose(*arguments)


def test_more_queries_than_keys_are_refused():
    with pytest.raises(ValueError, match="keys >= queries"):
        tune_temperature(np.zeros((3, 2)))


@pytest.mark.parametrize("channels", [1, 3])
def test_both_sliders_redraw_the_view(channels):
    scenes = torch.rand(3, channels, 8, 8)
    which, temperature, view = tune_temperature(
        torch.tensor([[0.9, 0.2, 0.1], [0.3, 0.5, 0.4]]), scenes, scenes
    ).children
    seen = {bytes(view.value)}
    for slider, value in ((which, 1), (temperature, 0.05), (temperature, 10)):
        slider.value = value
        assert bytes(view.value).startswith(PNG)
        assert bytes(view.value) not in seen, f"{slider.description} = {value} drew nothing new"
        seen.add(bytes(view.value))


def test_pictures_may_be_left_out():
    assert draw_choice([0.5, -0.5], 1, 0.1).startswith(PNG)
