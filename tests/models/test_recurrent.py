"""Against the recurrences written out, and against a published size."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_lib import measure, models
from tests.examples import examples

CELLS = ("lstm", "gru")


def read_by_hand(cell, layer, x):
    """One layer, one direction: x [L, inputs] to states [L, width], by the papers' equations."""
    into, across = layer.weight_ih_l0, layer.weight_hh_l0
    bias_in, bias_across = layer.bias_ih_l0, layer.bias_hh_l0
    h, c, states = torch.zeros(across.shape[1]), torch.zeros(across.shape[1]), []
    for token in x:
        a, b = into @ token + bias_in, across @ h + bias_across
        if cell == "lstm":
            i, f, g, o = (a + b).chunk(4)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        else:
            (a_r, a_z, a_n), (b_r, b_z, b_n) = a.chunk(3), b.chunk(3)
            z = (a_z + b_z).sigmoid()
            h = (1 - z) * (a_n + (a_r + b_r).sigmoid() * b_n).tanh() + z * h
        states.append(h)
    return torch.stack(states)


@pytest.mark.parametrize("cell", CELLS)
def test_language_model_by_hand(cell):
    model = models.RecurrentLanguageModel(cell, vocabulary=11, width=5).eval()
    tokens = torch.randint(11, (1, 7))
    with torch.no_grad():
        states = read_by_hand(cell, model.recurrent, model.embed(tokens)[0])
        logits, state = model(tokens)
    torch.testing.assert_close(logits[0], model.head(states), rtol=1e-4, atol=1e-5)
    last = state[0] if cell == "lstm" else state
    torch.testing.assert_close(last[0, 0], states[-1], rtol=1e-4, atol=1e-5)


@given(st.sampled_from(CELLS), st.integers(1, 12), st.integers(1, 3), st.data())
@examples(15)
def test_a_state_handed_on_reads_as_one(cell, length, layers, data):
    model = models.RecurrentLanguageModel(cell, 256, 8, layers, dropout=0.3).eval()
    tokens = torch.randint(256, (2, length + 1))
    cut = data.draw(st.integers(1, length))
    with torch.no_grad():
        whole, end = model(tokens)
        first, state = model(tokens[:, :cut])
        second, end_of_second = model(tokens[:, cut:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(end_of_second, end, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_shapes_of_states(cell):
    _, state = models.RecurrentLanguageModel(cell, 9, 6, layers=2)(torch.zeros(3, 4, dtype=torch.long))
    parts = state if cell == "lstm" else (state,)
    assert len(parts) == (2 if cell == "lstm" else 1)
    assert all(part.shape == (2, 3, 6) for part in parts)


@given(st.sampled_from(CELLS), st.lists(st.integers(1, 9), min_size=1, max_size=5))
@examples(15)
def test_what_follows_a_sequences_length_changes_nothing(cell, lengths):
    model = models.build(f"{cell}_classifier", num_classes=4, width=8).eval()
    tokens = torch.randint(256, (len(lengths), 9))
    with torch.no_grad():
        together = model(tokens, torch.tensor(lengths))
        alone = torch.cat([model(tokens[i : i + 1, :length]) for i, length in enumerate(lengths)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_a_classifier_reads_both_ways(cell):
    model = models.build(f"{cell}_classifier", width=6).eval()
    tokens = torch.randint(256, (1, 5))
    layer, x = model.recurrent, model.embed(tokens)[0]
    with torch.no_grad():
        forward = read_by_hand(cell, layer, x)[-1]
        backward = nn.LSTM(6, 6) if cell == "lstm" else nn.GRU(6, 6)
        backward.load_state_dict({name: getattr(layer, f"{name}_reverse") for name in backward.state_dict()})
        expected = model.head(torch.cat([forward, read_by_hand(cell, backward, x.flip(0))[-1]]))
        torch.testing.assert_close(model(tokens)[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("width", "millions"), [(650, 20), (1500, 66)])
def test_published_sizes_of_language_models(width, millions):
    """Zaremba et al., "Recurrent neural network regularization" (2014), medium and large: two layers, 10,000 words.

    They count one bias per gate; torch's layers have two.
    """
    with torch.device("meta"):
        model = models.RecurrentLanguageModel("lstm", 10_000, width, layers=2)
    parameters = sum(own.numel() for own in model.parameters()) - 2 * 4 * width
    assert parameters == 2 * 10_000 * width + 10_000 + 2 * (4 * width * 2 * width + 4 * width)
    assert round(parameters / 1e6) == millions


def test_cost_of_a_token():
    counts = measure.count(models.gru_language_model(), torch.zeros(1, 10, dtype=torch.long))
    assert counts.macs == 10 * (3 * 128 * (128 + 128) + 128 * 256)
    assert counts.uncounted == ()


def test_an_unknown_cell():
    with pytest.raises(ValueError, match="one of lstm, gru, not 'rnn'"):
        models.RecurrentLanguageModel("rnn", 9, 4)


@pytest.mark.parametrize("name", [f"{cell}_{use}" for cell in CELLS for use in ("language_model", "classifier")])
def test_docstrings_say_the_size(name):
    parameters = sum(own.numel() for own in models.build(name).parameters())
    assert f"{parameters:,} parameters" in getattr(models, name).__doc__
