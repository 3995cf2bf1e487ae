"""Recurrent networks on sequences, from before transformers: LSTM (Hochreiter and Schmidhuber, 1997) and GRU
(Cho et al., 2014), as language models and as classifiers.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from course_lib.models.registry import architecture

__all__ = [
    "RecurrentClassifier",
    "RecurrentLanguageModel",
    "gru_classifier",
    "gru_language_model",
    "lstm_classifier",
    "lstm_language_model",
]

Cell = Literal["lstm", "gru"]
State = Tensor | tuple[Tensor, Tensor]
_CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


def _layers(cell: Cell, inputs: int, width: int, layers: int, dropout: float, both_ways: bool = False) -> nn.RNNBase:
    if cell not in _CELLS:
        raise ValueError(f"cell is one of {', '.join(_CELLS)}, not {cell!r}")
    dropout = dropout if layers > 1 else 0.0
    return _CELLS[cell](inputs, width, layers, batch_first=True, dropout=dropout, bidirectional=both_ways)


class RecurrentLanguageModel(nn.Module):
    """Embedding, recurrent layers and a linear layer; each token is read after a state that sums up those before it.

    cell        "lstm" or "gru".
    vocabulary  number of different tokens.
    width       numbers per token and per layer's state.
    layers      recurrent layers, one above the other.
    dropout     in training, of embeddings and of every layer's output (Zaremba et al., 2014).

    Called with tokens int [N, L] and a state, None for a fresh start; returns logits [N, L, vocabulary] of the token
    that follows each, and the state after the last token: (h, c) for an LSTM, h for a GRU, each
    [layers, N, width]. A long text read in pieces with the state handed on gives the same logits as read at once.
    """

    def __init__(self, cell: Cell, vocabulary: int, width: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = _layers(cell, width, width, layers, dropout)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        outputs, state = self.recurrent(self.dropout(self.embed(tokens)), state)
        return self.head(self.dropout(outputs)), state


class RecurrentClassifier(nn.Module):
    """Embedding, recurrent layers that read in both directions, and a linear layer on their two last states.

    cell, vocabulary, width, layers, dropout  as in RecurrentLanguageModel; width is that of each direction's state.

    Called with tokens int [N, L] and, where sequences are filled up at their end, lengths int [N] from 1 to L (None:
    all L); returns logits [N, num_classes]. What stands after a sequence's length changes nothing.
    """

    def __init__(
        self, cell: Cell, vocabulary: int, width: int, num_classes: int, layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = _layers(cell, width, width, layers, dropout, both_ways=True)
        self.head = nn.Linear(2 * width, num_classes)

    def forward(self, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
        x = self.dropout(self.embed(tokens))
        if lengths is not None:
            x = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, state = self.recurrent(x)
        hidden = state[0] if isinstance(state, tuple) else state
        both = torch.cat([hidden[-2], hidden[-1]], dim=1)  # the last layer's forward and backward reading
        return self.head(self.dropout(both))


@architecture
def lstm_language_model(vocabulary: int = 256, width: int = 128, layers: int = 1) -> RecurrentLanguageModel:
    """The labs' LSTM, for bytes: 197,888 parameters."""
    return RecurrentLanguageModel("lstm", vocabulary, width, layers)


@architecture
def gru_language_model(vocabulary: int = 256, width: int = 128, layers: int = 1) -> RecurrentLanguageModel:
    """The labs' GRU, for bytes: 164,864 parameters."""
    return RecurrentLanguageModel("gru", vocabulary, width, layers)


@architecture
def lstm_classifier(num_classes: int = 10, vocabulary: int = 256, width: int = 64) -> RecurrentClassifier:
    """A bidirectional LSTM that sorts byte sequences into classes: 84,234 parameters."""
    return RecurrentClassifier("lstm", vocabulary, width, num_classes)


@architecture
def gru_classifier(num_classes: int = 10, vocabulary: int = 256, width: int = 64) -> RecurrentClassifier:
    """A bidirectional GRU that sorts byte sequences into classes: 67,594 parameters."""
    return RecurrentClassifier("gru", vocabulary, width, num_classes)
