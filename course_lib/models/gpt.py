"""GPT-2, the decoder-only transformer (Radford et al., "Language models are unsupervised multitask learners", 2019).

Gpt        tokens to the logits of the token that follows each
gpt2       the published small size; small_gpt trains on bytes in seconds
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.models.registry import architecture
from course_lib.models.transformer_layer import (
    AttentionFactory,
    NormFactory,
    TorchAttention,
    TransformerLayer,
    as_bias,
    initialise,
)

__all__ = ["Gpt", "GptConfig", "gpt2", "small_gpt"]


@dataclass(frozen=True, kw_only=True)
class GptConfig:
    """Sizes of a GPT; the defaults are GPT-2 small.

    vocabulary  number of different tokens.
    positions   longest sequence.
    width, layers, heads, hidden  of the transformer (hidden: between its two linear layers).
    dropout     in training, of embeddings, attention weights and every part's output.
    """

    vocabulary: int = 50257
    positions: int = 1024
    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    dropout: float = 0.1


class Gpt(nn.Module):
    """Every token sees itself and those before it; pre-norm, GELU (tanh form), learned positions, tied output weights.

    attention, norm  make every layer's attention and normalisation, see course_lib/models/transformer_layer.py;
        None takes torch's attention with the config's dropout.

    Input tokens int [N, L], L at most config.positions; output logits [N, L, vocabulary] of the next token.
    mask  replaces the causal mask: bool (True: may be seen) or float (added to the scores), broadcasts to
        [N, heads, L, L].
    Raises ValueError if the sequence is too long.
    """

    def __init__(
        self, config: GptConfig, *, attention: AttentionFactory | None = None, norm: NormFactory = nn.LayerNorm
    ) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocabulary, config.width)
        self.positions = nn.Embedding(config.positions, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(
                config.width,
                config.heads,
                config.hidden,
                attention=attention or partial(TorchAttention, dropout=config.dropout),
                norm=norm,
                activation=partial(nn.GELU, approximate="tanh"),
                dropout=config.dropout,
            )
            for _ in range(config.layers)
        )
        self.norm = norm(config.width)
        initialise(self, config.width)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        length = tokens.shape[1]
        if length > self.config.positions:
            raise ValueError(f"this GPT takes at most {self.config.positions} tokens, not {length}")
        if mask is None:
            bias = nn.Transformer.generate_square_subsequent_mask(length, device=tokens.device)
        else:
            bias = as_bias(mask)
        x = self.dropout(self.embed(tokens) + self.positions.weight[:length])
        for layer in self.layers:
            x = layer(x, bias)
        return F.linear(self.norm(x), self.embed.weight)

    @torch.no_grad()
    def generate(
        self, prompt: Tensor, count: int, *, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """The prompt int [N, L], L at least 1, with `count` tokens more, int [N, L + count].

        temperature  divides the logits before a token is drawn; 0 takes the most probable one every time.
        Only the last config.positions tokens are read. The model works in the mode it is in: call `.eval()` first.
        """
        tokens = prompt.long()
        for _ in range(count):
            logits = self(tokens[:, -self.config.positions :])[:, -1]
            if temperature == 0:
                following = logits.argmax(-1, keepdim=True)
            else:
                following = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)
            tokens = torch.cat([tokens, following], dim=1)
        return tokens


@architecture
def gpt2(*, attention: AttentionFactory | None = None) -> Gpt:
    """GPT-2 small: 124,439,808 parameters."""
    return Gpt(GptConfig(), attention=attention)


@architecture
def small_gpt(
    vocabulary: int = 256,
    positions: int = 128,
    width: int = 64,
    layers: int = 2,
    heads: int = 4,
    *,
    attention: AttentionFactory | None = None,
    norm: NormFactory = nn.LayerNorm,
) -> Gpt:
    """The labs' GPT, for bytes: 124,672 parameters; without dropout."""
    sizes = {"width": width, "layers": layers, "heads": heads, "hidden": 4 * width}
    config = GptConfig(vocabulary=vocabulary, positions=positions, dropout=0.0, **sizes)
    return Gpt(config, attention=attention, norm=norm)
