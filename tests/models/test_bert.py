"""Against torch's own post-norm encoder, and against the published sizes."""

import pytest
import torch
from torch import nn

from course_lib import measure, models
from tests.models.test_transformer_layer import with_weights_of

CONFIG = models.BertConfig(vocabulary=31, positions=12, width=8, layers=2, heads=2, hidden=12)


def test_published_sizes():
    """bert-base-uncased; with the output for hidden tokens, whose published count leaves out the pooler."""
    with torch.device("meta"):
        bert = models.bert_base()
        masked = models.BertMasked(models.bert_base())
        counts = measure.count(bert, torch.zeros(1, 512, dtype=torch.long))
    assert counts.parameters == 109_482_240
    pooler = 768 * 768 + 768
    assert sum(own.numel() for own in masked.parameters()) - pooler == 109_514_298
    layer = 512 * (4 * 768**2 + 2 * 768 * 3072) + 2 * 512**2 * 768
    assert counts.macs == 12 * layer + 768**2
    assert counts.uncounted == ()
    assert "109,482,240 parameters" in models.bert_base.__doc__


def test_same_as_torchs_encoder_on_the_embeddings():
    bert = models.Bert(CONFIG).eval()
    theirs = []
    for ours in bert.layers:
        layer = nn.TransformerEncoderLayer(
            8, 2, 12, dropout=0.0, activation="gelu", batch_first=True, layer_norm_eps=1e-12
        )
        with_weights_of(layer.eval(), ours)
        theirs.append(layer)
    tokens, segments = torch.randint(31, (3, 10)), torch.randint(2, (3, 10))
    padding = torch.zeros(3, 10, dtype=torch.bool)
    padding[0, 6:] = True
    with torch.no_grad():
        x = bert.embed(tokens) + bert.positions(torch.arange(10)) + bert.segments(segments)
        x = nn.functional.layer_norm(x, (8,), eps=1e-12)
        for layer in theirs:
            x = layer(x, src_key_padding_mask=padding)
        out = bert(tokens, padding, segments)
    torch.testing.assert_close(out.tokens[~padding], x[~padding], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out.pooled, torch.tanh(bert.pooler(x[:, 0])), rtol=1e-4, atol=1e-5)


def test_padding_changes_nothing():
    bert = models.small_bert().eval()
    tokens = torch.randint(256, (1, 9))
    filled = torch.cat([tokens, torch.randint(256, (1, 5))], dim=1)
    padding = torch.arange(14)[None] >= 9
    with torch.no_grad():
        torch.testing.assert_close(bert(filled, padding).tokens[:, :9], bert(tokens).tokens, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(bert(filled).tokens[:, :9], bert(tokens).tokens, atol=1e-3)
        mask = ~padding[:, None, None]
        torch.testing.assert_close(bert(filled, mask=mask).tokens[:, :9], bert(tokens).tokens, rtol=1e-4, atol=1e-5)


def test_every_token_sees_every_other():
    bert = models.small_bert(layers=1).eval()
    tokens = torch.randint(255, (1, 7))
    for place in range(7):
        changed = tokens.clone()
        changed[0, place] += 1
        with torch.no_grad():
            assert (bert(changed).tokens != bert(tokens).tokens).any(-1).all()


def test_heads():
    tokens = torch.randint(256, (2, 9))
    assert models.BertMasked(models.small_bert())(tokens).shape == (2, 9, 257)
    assert models.BertClassifier(models.small_bert(), 5)(tokens).shape == (2, 5)


def test_what_it_refuses():
    bert = models.Bert(CONFIG)
    with pytest.raises(ValueError, match="at most 12 tokens, not 13"):
        bert(torch.zeros(1, 13, dtype=torch.long))
    with pytest.raises(ValueError, match="padding or mask, not both"):
        bert(torch.zeros(1, 2, dtype=torch.long), padding=torch.zeros(1, 2) > 0, mask=torch.ones(2, 2) > 0)


def test_small_bert_has_the_size_its_docstring_says():
    parameters = sum(own.numel() for own in models.small_bert().parameters())
    assert f"{parameters:,} parameters" in models.small_bert.__doc__


def test_it_learns():
    """The hidden token repeats the one before it: attention must find it."""
    torch.manual_seed(0)
    model = models.BertMasked(models.small_bert(vocabulary=9, positions=8, width=32))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        tokens = torch.randint(8, (32, 8))
        tokens[:, 1::2] = tokens[:, ::2]
        logits = model(tokens.index_fill(1, torch.tensor([3]), 8))[:, 3]
        loss = nn.functional.cross_entropy(logits, tokens[:, 3])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.2
