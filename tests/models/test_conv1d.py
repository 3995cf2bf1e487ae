import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib import models
from tests.examples import examples


@given(st.integers(1, 4), st.integers(1, 4))
@examples(12)
def test_a_logit_depends_on_its_receptive_field_alone(layers, kernel):
    torch.manual_seed(0)
    model = models.CausalConvNet(vocabulary=16, width=24, layers=layers, kernel=kernel).double().eval()
    field, length = model.receptive_field, model.receptive_field + 4
    assert field == 1 + sum((kernel - 1) * 2**i for i in range(layers))
    tokens = torch.randint(15, (1, length))
    with torch.no_grad():
        before = model(tokens)
        for place in (0, 2, length - 1):
            changed = tokens.clone()
            changed[:, place] += 1
            moved = (model(changed) != before).any(-1)[0].nonzero().flatten().tolist()
            assert moved[0] == place and moved[-1] <= place + field - 1
            if kernel <= 2:  # no gaps between the taps' reach
                assert moved[-1] == min(length, place + field) - 1


@pytest.mark.parametrize("length", [1, 2, 90])
def test_language_model_takes_any_length(length):
    assert models.conv_language_model()(torch.zeros(2, length, dtype=torch.long)).shape == (2, length, 256)


def test_filters_by_hand():
    """One filter of two tokens; the answer is the highest product anywhere, and moves with the pattern."""
    model = models.ConvClassifier(vocabulary=4, width=2, num_classes=1, filters=1, lengths=(2,)).eval()
    with torch.no_grad():
        model.embed.weight.copy_(torch.tensor([[0.0, 0], [1, 0], [0, 1], [-1, -1]]))
        model.filters[0].weight.copy_(torch.tensor([[[1.0, 0], [0, 2]]]))  # token 1, then token 2
        model.filters[0].bias.fill_(-1.0)
        model.head.weight.fill_(1.0)
        model.head.bias.zero_()
        answers = model(torch.tensor([[1, 2, 0, 0], [0, 0, 1, 2], [2, 1, 2, 1], [0, 0, 0, 0], [1, 0, 0, 0]]))
    assert answers.flatten().tolist() == [2.0, 2.0, 2.0, 0.0, 0.0]


@given(st.integers(1, 9))
@examples(9)
def test_short_sequences(length):
    assert models.conv_classifier(num_classes=3)(torch.zeros(2, length, dtype=torch.long)).shape == (2, 3)


@pytest.mark.parametrize("name", ["conv_language_model", "conv_classifier"])
def test_docstrings_say_the_size(name):
    model = models.build(name)
    parameters = sum(own.numel() for own in model.parameters())
    assert f"{parameters:,} parameters" in getattr(models, name).__doc__
    if name == "conv_language_model":
        assert f"{model.receptive_field} bytes" in models.conv_language_model.__doc__
