# ---
# course:
#   title: Transformers, from bytes to sparse windows
#   minutes: 240
#   summary: Write a tokenizer, attention and everything around it, wire the three families, and make attention cheap.
# ---

# %% [markdown]
# # Transformers, from bytes to sparse windows
#
# One layer, attention, has replaced most of what came before it in language and much of it in vision. It is
# also expensive in a new way: its cost grows with the square of the number of tokens. Here you write every
# part of a transformer, put your own parts into whole models, and then write the three changes that make
# attention affordable on pictures and point clouds.
#
# **You will be able to**
# - turn text into tokens and tokens into vectors that know their position,
# - write attention with masks and heads, the feed-forward part and the normalisations, and say why each is
#   there,
# - wire encoders, decoders and encoder-decoders, and say which tasks each is for,
# - cut pictures into tokens, and restrict attention to windows, to a linear cost, or to groups of sparse points,
# - measure when a transformer wins against a recurrent or convolutional network, and when it does not.
#
# **Time** about four hours. **Needs** a laptop; every training here takes seconds.
#
# **How it works.** In each exercise, replace `raise NotImplementedError(...)` by your code and run the check
# below it. Every section needs only the set-up cell and its own cells.
#
# Letters used throughout:
#
# | letter | meaning |
# |---|---|
# | $N$ | sequences or pictures in a batch |
# | $L,\ S$ | tokens that ask (queries), tokens that are asked (keys); in self-attention $L = S$ |
# | $d$ | width: numbers per token |
# | $h,\ d_k$ | heads, and numbers per head: $d_k = d / h$ |
# | $q, k, v$ | query, key and value of a token; $Q, K, V$ one row for each token |
#
# A batch of sequences is a tensor `[N, L, d]`. **In every bool mask of this notebook `True` means: may be
# seen.** (Only the block of section 7 hands on a mask of numbers that are added to the scores: 0 may be seen, $-\infty$ not.)

# %% tags=["parameters"]
profile = "fast"
device = "auto"
seed = 0

# %% tags=["setup"]
import itertools
import math
from collections import Counter
from functools import partial

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import checking, data, explore, measure, models, notebook, record, training

nb = notebook.start("1d_transformers", profile=profile, device=device, seed=seed)
torch.set_num_threads(1)


def merge_pair(tokens: list[int], pair: tuple[int, int], new: int) -> list[int]:
    """The same tokens with `new` in place of each `pair`, from left to right; a token is used up once."""
    merged, place = [], 0
    while place < len(tokens):
        found = tuple(tokens[place : place + 2]) == tuple(pair)
        merged.append(new if found else tokens[place])
        place += 2 if found else 1
    return merged


# %% [markdown]
# ## 1. Before transformers
#
# A language model reads $x_1, \dots, x_t$ and gives a probability for each possible $x_{t+1}$. Its loss is the
# mean of $-\log p(x_{t+1})$, here in **nats** per byte: $\ln 256 = 5.5$ for a model that knows nothing.
# Before 2017 there were two ways to read a sequence:
#
# - a **recurrent network** (LSTM, GRU) keeps a state $s_t = f(s_{t-1}, x_t)$. Everything it knows of the past
#   must fit into that state, and step $t$ cannot start before step $t-1$ has ended;
# - a **convolution along the sequence** sees a window. All positions are computed at once, but what lies
#   before the window does not exist.
#
# A transformer keeps all tokens and lets each look at all others: no bottleneck, no window, all positions at
# once. What does that buy? Two tests. On the left, three small models of similar size read Python source for
# the same number of steps, beside a table of byte pairs. On the right, they learn to **copy**: a random string, then the same string again;
# only the second half counts. The chance of guessing a letter is 1 in 16.

# %% experiment="before_transformers" topics="pre_transformer"
text = data.code_text()
copies = (4, 8, 16)


def predictions(model: nn.Module, tokens: Tensor) -> Tensor:
    """Logits [N, L, vocabulary] of the token after each; recurrent networks return their state as well."""
    answer = model(tokens)
    return answer[0] if isinstance(answer, tuple) else answer


def loss_of(model: nn.Module, tokens: Tensor, counted: int) -> Tensor:
    """Mean loss of the last `counted` predictions, in nats."""
    logits = predictions(model, tokens[:, :-1])[:, -counted:]
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, -counted:].flatten())


def learn(model: nn.Module, draw_batch, counted: int, steps: int) -> nn.Module:
    draw = nb.generator(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.2)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(model, draw_batch(draw), counted).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
    return model.eval()


def twice(length: int, count: int, draw: torch.Generator) -> Tensor:
    """Random strings of 16 letters, each followed by itself: [count, 2 * length]."""
    string = torch.randint(16, (count, length), generator=draw)
    return torch.cat([string, string], dim=1)


makers = {
    "1-D CNN": models.conv_language_model,
    "LSTM": models.lstm_language_model,
    "transformer": models.small_gpt,
}
steps = nb.pick(fast=100, full=2000)
losses, copied = {}, {}
unseen = text.test.windows(128, 65, nb.generator(2)).long()
for name, make in makers.items():
    torch.manual_seed(nb.seed)
    model = learn(make(), lambda draw: text.train.windows(16, 65, draw).long(), 64, steps)
    with torch.no_grad():
        losses[name] = loss_of(model, unseen, 64).item()
    copied[name] = []
    for length in copies:
        torch.manual_seed(nb.seed)
        model = learn(make(vocabulary=16), partial(twice, length, 16), length, nb.pick(fast=120, full=1000))
        strings = twice(length, 200, nb.generator(3))
        with torch.no_grad():
            answers = predictions(model, strings[:, :-1])[:, -length:].argmax(-1)
        copied[name].append((answers == strings[:, length:]).float().mean().item())

seen = text.train.take(2_000_000).tokens.long()  # a table of byte pairs, counted in one pass: no network at all
pairs = torch.zeros(256, 256).index_put_((seen[:-1], seen[1:]), torch.ones(len(seen) - 1), accumulate=True) + 0.02
table_loss = -(pairs / pairs.sum(1, keepdim=True)).log()[unseen[:, :-1], unseen[:, 1:]].mean().item()

figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.3))
bars = left.bar(list(losses), list(losses.values()), color=["#0072B2", "#D55E00", "#009E73"])
left.bar_label(bars, fmt="%.2f")
left.axhline(table_loss, color="black", linestyle=":", label=f"a table of byte pairs, {table_loss:.2f}")
left.set(title=f"Python source, {steps} steps of 16 x 64 bytes", ylabel="test loss, nats per byte", ylim=(0, 3.9))
left.legend(loc="upper left")
for (name, line), marker in zip(copied.items(), "osD", strict=True):
    right.plot(copies, line, marker + "-", label=name)
right.axhline(1 / 16, color="0.5", linestyle=":", label="guessing")
right.set(
    title="Copying a string",
    xlabel="length of the string, letters",
    ylabel="letters copied",
    ylim=(0, 1.05),
    xticks=copies,
)
right.legend()
plt.show()
record("text_loss_transformer", losses["transformer"], low=2.3, high=3.0)
record("transformer_over_cnn_text_loss", losses["transformer"] / losses["1-D CNN"], low=1.05, high=1.45)
record("copied_by_transformer_16", copied["transformer"][2], low=0.95, high=1)
record("copied_by_lstm_16", copied["LSTM"][2], low=0, high=0.3)
record("copied_by_cnn_16", copied["1-D CNN"][2], low=0, high=0.3)

# %% [markdown]
# On text, at this budget, **the transformer comes last**. What predicts the next byte of source code is mostly the
# last few bytes; the convolution looks there by construction and the LSTM by habit, while the transformer must
# first learn where to look. A table of byte pairs, counted in one pass over 2 million bytes (the networks read 0.1
# million in their 100 steps), beats both it and the LSTM. Larger transformers with far more text and steps have won in the end, which is why the field moved; the
# victory is not free.
#
# On copying it is the other way round. The transformer finds the letter by looking back exactly as far as the string is
# long. The LSTM must carry the whole string in its state, and the convolution must learn a filter for each
# distance. Neither learns 16 letters in this time. The convolution does see far enough (63 tokens): being able
# to is not the same as learning to.
