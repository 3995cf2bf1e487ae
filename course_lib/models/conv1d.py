"""Convolutions along a sequence, from before transformers.

ConvClassifier     one layer, maxima over time (Kim, "Convolutional neural networks for sentence classification", 2014)
CausalConvNet      dilated convolutions that look back only (van den Oord et al., "WaveNet", 2016; Bai et al., "An
    empirical evaluation of generic convolutional and recurrent networks for sequence modeling", 2018)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.models.registry import architecture

__all__ = ["CausalConvNet", "ConvClassifier", "conv_classifier", "conv_language_model"]


class ConvClassifier(nn.Module):
    """Filters of several lengths over embedded tokens; what counts is each filter's highest answer anywhere.

    vocabulary  number of different tokens.
    width       numbers per token.
    filters     number of filters of each length.
    lengths     of the filters, in tokens.
    dropout     in training, of the filters' maxima.

    Input tokens int [N, L]; output logits [N, num_classes]. A sequence shorter than the longest filter is filled with
    zeros. Moving a pattern along the sequence changes nothing but what stands at its edges.
    """

    def __init__(
        self,
        vocabulary: int,
        width: int,
        num_classes: int,
        filters: int = 100,
        lengths: Sequence[int] = (3, 4, 5),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.filters = nn.ModuleList(nn.Conv1d(width, filters, length) for length in lengths)
        self.longest = max(lengths)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(filters * len(lengths), num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens).transpose(1, 2)
        x = F.pad(x, (0, max(0, self.longest - x.shape[2])))
        highest = [filters(x).relu().amax(dim=2) for filters in self.filters]
        return self.head(self.dropout(torch.cat(highest, dim=1)))


class CausalConv(nn.Module):
    """A convolution [N, width, L] to [N, width, L] whose output at t sees t, t - dilation, ... alone, with ReLU and
    beside a shortcut."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.before = (kernel - 1) * dilation
        self.conv = nn.Conv1d(width, width, kernel, dilation=dilation)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.conv(F.pad(x, (self.before, 0))).relu())


class CausalConvNet(nn.Module):
    """Embedding, layers whose dilation doubles from one to the next, and a linear layer.

    vocabulary  number of different tokens.
    width       numbers per token.
    layers      convolutions, with dilation 1, 2, 4, ...
    kernel      taps of each.
    dropout     in training, of every layer's output.

    Input tokens int [N, L]; output logits [N, L, vocabulary] of the token that follows each.
    receptive_field  how many tokens a logit depends on: 1 + (kernel - 1)(2^layers - 1).
    """

    def __init__(self, vocabulary: int, width: int, layers: int, kernel: int = 2, dropout: float = 0.0) -> None:
        super().__init__()
        self.receptive_field = 1 + (kernel - 1) * (2**layers - 1)
        self.embed = nn.Embedding(vocabulary, width)
        self.layers = nn.Sequential(*(CausalConv(width, kernel, 2**i, dropout) for i in range(layers)))
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.layers(self.embed(tokens).transpose(1, 2))
        return self.head(x.transpose(1, 2))


@architecture
def conv_classifier(num_classes: int = 10, vocabulary: int = 256, width: int = 32) -> ConvClassifier:
    """A 1-D CNN that sorts byte sequences into classes: 34,890 parameters."""
    return ConvClassifier(vocabulary, width, num_classes, filters=64)


@architecture
def conv_language_model(vocabulary: int = 256, width: int = 96, layers: int = 5) -> CausalConvNet:
    """The labs' 1-D CNN, for bytes: 188,128 parameters; each logit depends on 63 bytes."""
    return CausalConvNet(vocabulary, width, layers, kernel=3)
