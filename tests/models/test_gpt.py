"""Against torch's own pre-norm layers, and against the published size."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_lib import measure, models
from tests.examples import examples


def test_published_size():
    with torch.device("meta"):
        counts = measure.count(models.gpt2(), torch.zeros(1, 1024, dtype=torch.long))
    assert counts.parameters == 124_439_808
    layer = 1024 * 12 * 768**2 + 2 * 1024**2 * 768
    assert counts.macs == 12 * layer + 1024 * 768 * 50257
    assert counts.uncounted == ()
    assert "124,439,808 parameters" in models.gpt2.__doc__


def test_same_as_the_formulas():
    """Attention written out, from the layer's own weights: no code of the layer's is used."""
    gpt = models.small_gpt(vocabulary=31, positions=12, width=8, layers=2).eval()
    for own in gpt.parameters():
        nn.init.normal_(own, std=0.3)
    tokens = torch.randint(31, (3, 10))
    state, functional = gpt.state_dict(), nn.functional
    future = torch.ones(10, 10).triu(1).bool()

    def part(name):
        return state[f"{name}.weight"], state[f"{name}.bias"]

    x = state["embed.weight"][tokens] + state["positions.weight"][:10]
    for i in range(2):
        y = functional.layer_norm(x, (8,), *part(f"layers.{i}.ln_1"))
        names = (f"layers.{i}.self_attention.in_proj_weight", f"layers.{i}.self_attention.in_proj_bias")
        q, k, v = functional.linear(y, *(state[name] for name in names)).chunk(3, dim=-1)
        heads = []
        for columns in torch.arange(8).chunk(4):
            scores = q[..., columns] @ k[..., columns].mT / 2**0.5
            heads.append(scores.masked_fill(future, -torch.inf).softmax(-1) @ v[..., columns])
        x = x + functional.linear(torch.cat(heads, -1), *part(f"layers.{i}.self_attention.out_proj"))
        y = functional.linear(functional.layer_norm(x, (8,), *part(f"layers.{i}.ln_2")), *part(f"layers.{i}.mlp.0"))
        y = 0.5 * y * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (y + 0.044715 * y**3)))
        x = x + functional.linear(y, *part(f"layers.{i}.mlp.3"))
    expected = functional.layer_norm(x, (8,), *part("norm")) @ state["embed.weight"].T
    with torch.no_grad():
        torch.testing.assert_close(gpt(tokens), expected, rtol=1e-4, atol=1e-4)


@given(st.integers(1, 17), st.data())
@examples(15)
def test_the_future_changes_nothing(length, data):
    gpt = models.small_gpt().eval()
    tokens = torch.randint(255, (2, length))
    place = data.draw(st.integers(0, length - 1))
    changed = tokens.clone()
    changed[:, place:] += 1
    with torch.no_grad():
        before, after = gpt(tokens), gpt(changed)
    assert torch.equal(before[:, :place], after[:, :place])
    assert (before[:, place:] != after[:, place:]).any(-1).all()


def test_another_mask_replaces_the_causal_one():
    gpt = models.small_gpt().eval()
    tokens = torch.randint(255, (1, 6))
    changed = tokens.clone()
    changed[:, 5] += 1
    everything, itself = torch.ones(6, 6, dtype=torch.bool), torch.eye(6, dtype=torch.bool)
    with torch.no_grad():
        assert (gpt(changed, everything) != gpt(tokens, everything)).any(-1).all()
        assert (gpt(changed, itself) != gpt(tokens, itself)).any(-1)[0].tolist() == [False] * 5 + [True]
        torch.testing.assert_close(gpt(tokens, everything.tril()), gpt(tokens))


def test_generate():
    gpt = models.small_gpt(positions=8).eval()
    prompt = torch.randint(256, (2, 3), dtype=torch.uint8)
    greedy = gpt.generate(prompt, 9, temperature=0)
    assert greedy.shape == (2, 12) and torch.equal(greedy[:, :3], prompt.long())
    for place in range(3, 12):
        seen = greedy[:, max(0, place - 8) : place]
        assert torch.equal(greedy[:, place], gpt(seen)[:, -1].argmax(-1))
    drawn = [gpt.generate(prompt, 5, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    cold = gpt.generate(prompt, 9, temperature=1e-4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(cold, greedy)


def test_too_long():
    with pytest.raises(ValueError, match="at most 8 tokens, not 9"):
        models.small_gpt(positions=8)(torch.zeros(1, 9, dtype=torch.long))


def test_small_gpt_has_the_size_its_docstring_says():
    parameters = sum(own.numel() for own in models.small_gpt().parameters())
    assert f"{parameters:,} parameters" in models.small_gpt.__doc__


def test_it_learns_to_copy_from_its_context():
    torch.manual_seed(0)
    gpt = models.small_gpt(vocabulary=8, positions=12, width=32)
    optimizer = torch.optim.AdamW(gpt.parameters(), lr=3e-3)
    for _ in range(200):
        tokens = torch.randint(8, (32, 6)).repeat(1, 2)  # the second half repeats the first
        logits = gpt(tokens[:, :-1])[:, 5:]
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 6:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.5  # ln 8 = 2.08 without looking back
