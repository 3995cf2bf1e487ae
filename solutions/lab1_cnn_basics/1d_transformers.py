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

# %% [markdown]
# ## 2. Tokens
#
# A model reads whole numbers. One number for each byte needs no dictionary and makes long sequences; one for
# each word makes short sequences, a huge table, and words it has never seen. **Byte-pair encoding** (Sennrich
# et al., 2016; here from bytes, as in GPT-2) lets the text decide. Repeat:
#
# 1. count every pair of neighbouring tokens (in `aaa` the pair `aa` counts twice);
# 2. take the pair that occurs most often; of several, the one that occurs first in the text;
# 3. give it a new number, 256 for the first merge, 257 for the second, and so on, and replace it everywhere.
#
# The list of pairs, in the order they were learned, is the tokenizer.
#
# **By hand.** `abababc`: the pair `ab` occurs 3 times, `ba` 2 times, `bc` once. Merge `ab` into 256:
# `256 256 256 c`. Now `(256, 256)` occurs twice (they overlap); merged from left to right it becomes
# `257 256 c`. No pair occurs twice any more: stop.
#
# ### Exercise: learn the merges
#
# `merge_pair(tokens, pair, new)` from the set-up cell does the replacing.


# %% exercise="bpe_merges" topics="tokenizer"
def learn_merges(text: bytes, count: int) -> list[tuple[int, int]]:
    """Learn a byte-pair encoding.

    text   what to learn from; its bytes are the first tokens, 0 to 255.
    count  how many merges to learn at most.

    Returns the merged pairs in the order they were learned; the pair at index i got the number 256 + i. Ends early when
    no pair occurs at least twice. Of equally frequent pairs, the one that occurs first in the text is taken.
    """
    ### BEGIN SOLUTION
    tokens, merges = list(text), []
    while len(merges) < count:
        pairs = Counter(itertools.pairwise(tokens))
        best = max(pairs, key=pairs.get, default=None)
        if best is None or pairs[best] < 2:
            break
        tokens = merge_pair(tokens, best, 256 + len(merges))
        merges.append(best)
    return merges
    ### END SOLUTION


# %% check="bpe_merges" points=4
with checking.check("bpe_merges"):
    a, b = b"ab"
    checking.equal(
        learn_merges(b"abababc", 1), [(a, b)], 'learn_merges(b"abababc", 1)', hint="ab occurs three times, ba twice"
    )
    checking.equal(
        learn_merges(b"abababc", 9),
        [(a, b), (256, 256)],
        'learn_merges(b"abababc", 9)',
        hint="count again after every merge, with the new token; stop when no pair occurs twice",
    )
    checking.equal(
        learn_merges(b"xyabxyab", 1),
        [(120, 121)],
        'learn_merges(b"xyabxyab", 1)',
        hint="xy, ya and ab occur twice each: take the one that stands first in the text",
    )
    checking.equal(
        learn_merges(b"aaabbb", 4),
        [(a, a), (b, b)],
        'learn_merges(b"aaabbb", 4)',
        hint="overlapping pairs count: aa occurs twice in aaa",
    )
    checking.equal(learn_merges(b"", 3), [], 'learn_merges(b"", 3)', hint="no text has no pairs")
    checking.equal(
        learn_merges(b"low lower lowest slow slower", 5),
        [(108, 111), (256, 119), (257, 101), (257, 32), (258, 114)],
        'learn_merges(b"low lower lowest slow slower", 5)',
        hint="lo, then low, then lowe: a merged token takes part in further pairs",
    )

# %% [markdown]
# To **encode** a new text, replay the merges in the order they were learned. The order matters: a later pair is
# made of earlier ones. To **decode**, every token stands for a string of bytes: a byte for itself, token
# $256 + i$ for the strings of the two tokens it was merged from, joined.
#
# **By hand.** Merges `ab`, then `(256, c)`: `abcab` becomes `256 c 256`, then `257 256`.
#
# ### Exercise: encode and decode


# %% exercise="bpe_encode" topics="tokenizer"
def encode_text(text: bytes, merges: list[tuple[int, int]]) -> list[int]:
    """Tokens of a text, by merges as `learn_merges` returns them."""
    ### BEGIN SOLUTION
    tokens = list(text)
    for index, pair in enumerate(merges):
        tokens = merge_pair(tokens, pair, 256 + index)
    return tokens
    ### END SOLUTION


def decode_text(tokens: list[int], merges: list[tuple[int, int]]) -> bytes:
    """The text that was encoded."""
    ### BEGIN SOLUTION
    strings = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        strings.append(strings[left] + strings[right])
    return b"".join(strings[token] for token in tokens)
    ### END SOLUTION


# %% check="bpe_encode" points=4
with checking.check("bpe_encode"):
    merges = [(97, 98), (256, 99)]  # ab, then abc
    checking.equal(encode_text(b"abcab", []), [97, 98, 99, 97, 98], "without merges", hint="bytes are tokens")
    checking.equal(
        encode_text(b"abcab", merges),
        [257, 256],
        'encode_text(b"abcab", merges)',
        hint="first every ab becomes 256, then every 256 c becomes 257",
    )
    checking.equal(
        encode_text(b"aabbc", merges), [97, 256, 98, 99], 'encode_text(b"aabbc", merges)', hint="only neighbours merge"
    )
    checking.equal(
        encode_text(b"abc", [(98, 99), (97, 98), (97, 256)]),
        [258],
        "the order of the merges",
        hint="bc was learned first, so ab finds no b any more: replay the merges in the order of the list",
    )
    checking.equal(
        decode_text([257, 256, 97], merges),
        b"abcaba",
        "decode_text([257, 256, 97], merges)",
        hint="257 is 256 and c, 256 is a and b: take merged tokens apart down to the bytes",
    )
    umlaut = "größer größer".encode()
    pairs = [(195, 182), (195, 159), (103, 114), (258, 256)]
    checking.equal(
        decode_text(encode_text(umlaut, pairs), pairs),
        umlaut,
        "decode_text(encode_text(text)) of a text with two-byte letters",
        hint="bytes above 127 are tokens like all others; nothing may get lost",
    )
    checking.equal(
        len(encode_text(umlaut, pairs)), 9, "the number of its tokens", hint="grö, ß, e, r in both words, and the space"
    )

# %% [markdown]
# Now on a real text: 15 kB of Python source, and three other texts that the tokenizer has not seen. Every merge
# shortens the sequences and adds a row to the embedding.

# %% experiment="merges_on_code" topics="tokenizer"
code = data.code_text()
sample = bytes(code.train.tokens[2_000_000:2_015_000].tolist())
merges = learn_merges(sample, nb.pick(fast=160, full=1000))
draw = nb.generator(4)
others = {
    "the code it learned from": sample[:6000],
    "other modules": bytes(code.test.tokens[500_000:506_000].tolist()),
    "English": (torch.__doc__ + nn.Transformer.__doc__ + torch.einsum.__doc__).encode()[:6000],
    "random letters": bytes(torch.randint(97, 123, (6000,), generator=draw).tolist()),
}
sizes = [0, 12, 24, 48, 96, len(merges)]
figure, axes = plt.subplots(figsize=(6.4, 3.3))
curves = {}
for name, string in others.items():
    curves[name] = [len(string) / len(encode_text(string, merges[:size])) for size in sizes]
    axes.plot(sizes, curves[name], "o-", label=name)
axes.set(title="What merges save", xlabel="merges", ylabel="bytes per token", ylim=(0.9, None))
axes.legend(fontsize=8)
plt.show()
words = [decode_text([256 + i], merges).decode("utf-8", "replace") for i in range(len(merges))]
print("first merges: ", *(repr(word) for word in words[:12]))
print("longest:      ", *(repr(word) for word in sorted(words, key=len)[-6:]))
line = b"    def forward(self, values):"
print("one line:     ", *(repr(decode_text([token], merges).decode()) for token in encode_text(line, merges)))
record("bytes_per_token_other_modules", curves["other modules"][-1], low=1.4, high=2.3)
record("bytes_per_token_random_letters", curves["random letters"][-1], low=1.0, high=1.15)

# %% [markdown]
# The first merges are runs of spaces, the indentation of Python; then endings and keywords. The tokenizer knows
# the texts it was made from: unseen code gains less than the sample, English less than code, and random letters nothing. A
# tokenizer made for English makes other languages longer, and so slower and dearer, in just this way.
#
# (GPT-2 first cuts the text into words and merges only within them, so that no token holds the end of one word and the
# start of the next.)

# %% [markdown]
# ## 3. From tokens to vectors
#
# A token is a number without meaning: 97 is not "more" than 96. The **embedding** gives each its own learned
# row of a table $E$ `[vocabulary, d]`. (It is a linear layer on a one-hot vector, without the multiplications.)
#
# Attention treats its tokens as a set, so the order must be written into the vectors. Vaswani et al. (2017)
# add waves of many lengths. For position $p = 0, 1, \dots$ and the pair of places $2i, 2i+1$ of the vector:
#
# $$P[p, 2i] = \sin\!\big(p / 10000^{2i/d}\big), \qquad P[p, 2i+1] = \cos\!\big(p / 10000^{2i/d}\big),
#   \qquad x_p = \sqrt d\; E[\text{token}_p] + P[p].$$
#
# The fast waves tell neighbours apart, the slow ones the beginning from the end. The product
# $P[p]\cdot P[p']$ depends on $p - p'$ alone. The factor $\sqrt d$ makes rows that start with variance $1/d$ as
# large as the waves.
#
# **By hand.** $d = 4$, position 1: $\sin 1 = 0.841$, $\cos 1 = 0.540$, then with $10000^{2/4} = 100$:
# $\sin 0.01 = 0.010$, $\cos 0.01 = 1.000$.
#
# ### Exercise: embeddings


# %% exercise="embeddings" topics="embeddings"
def embed_tokens(tokens: Tensor, table: Tensor) -> Tensor:
    """Word embedding, scaled by sqrt(d), plus sinusoidal positions.

    tokens  int64 [N, L]
    table   float [vocabulary, d], d even.

    Returns float [N, L, d]; the first token of each sequence has position 0.
    """
    ### BEGIN SOLUTION
    width = table.shape[1]
    frequencies = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(tokens.shape[1])[:, None] * frequencies  # [L, d / 2]
    waves = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)  # sine and cosine take turns
    return math.sqrt(width) * table[tokens] + waves
    ### END SOLUTION


# %% check="embeddings" points=4
with checking.check("embeddings"):
    nothing = torch.zeros(5, 4)
    waves = embed_tokens(torch.tensor([[3, 0, 3]]), nothing)
    checking.equal(tuple(waves.shape), (1, 3, 4), "the shape for tokens [1, 3] and a table [5, 4]", hint="[N, L, d]")
    checking.close(
        waves[0, 0],
        [0.0, 1.0, 0.0, 1.0],
        "position 0, table of zeros",
        hint="sin 0 and cos 0 take turns, place by place",
    )
    checking.close(
        waves[0, 1],
        [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)],
        "position 1, table of zeros",
        hint="10000 ** (2i / d): the second pair has i = 1, so its angle is p / 100",
    )
    table = torch.randn(7, 6, generator=torch.Generator().manual_seed(1))
    two = embed_tokens(torch.tensor([[2, 5, 2, 1], [5, 2, 6, 1]]), table)
    checking.close(
        two[0, 1] - two[1, 0] + two[1, 1] - two[0, 2],
        torch.tensor(
            [
                math.sin(2 * t) * -1 + 2 * math.sin(t) if s else -1 + 2 * math.cos(t) - math.cos(2 * t)
                for t in (1, 10000 ** (-1 / 3), 10000 ** (-2 / 3))
                for s in (1, 0)
            ]
        ),
        "differences between the same words at other places",
        atol=1e-5,
        hint="both sequences of a batch start at position 0; the words cancel in this sum, the waves do not",
    )
    checking.close(
        two[0, 0] - two[1, 0],
        math.sqrt(6) * (table[2] - table[5]),
        "the difference of two words at one place",
        atol=1e-5,
        hint="sqrt(d) times the rows of the table; the positions cancel",
    )
    with checking.unchanged(table=table):
        embed_tokens(torch.tensor([[0, 1]]), table)

# %% experiment="positions_picture" topics="embeddings"
width, length = 64, 128
waves = embed_tokens(torch.zeros(1, length, dtype=torch.int64), torch.zeros(1, width))[0]
near = waves @ waves.T / (width / 2)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.2))
shown = left.imshow(waves, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
left.set(title="Positions as waves, d = 64", xlabel="place in the vector", ylabel="position")
left.grid(visible=False)
figure.colorbar(shown, ax=left, label="value")
for position in (16, 64, 112):
    right.plot(torch.arange(length) - position, near[position], label=f"position {position}")
right.set(title="How alike two positions are", xlabel="distance, tokens", ylabel="product, itself = 1", xlim=(-40, 40))
right.legend()
plt.show()
gaps = torch.stack([near.diagonal(offset)[:64] for offset in range(1, 40)])
record("spread_of_products_at_one_distance", gaps.std(1).max(), low=0, high=1e-4)

# %% [markdown]
# The three curves lie on each other: a product of positions says how far apart two tokens are, not where they are. Most
# later models learn their positions (BERT, GPT, ViT) or put the distance into the attention itself (T5's biases,
# and the rotations of RoPE); the reason to do so is the right picture.

# %% [markdown]
# ## 4. Attention
#
# Each token writes three vectors: a **query** (what it looks for), a **key** (what it can be found by), and a
# **value** (what it hands over). The score of a pair is the product of query and key; softmax turns the scores
# of one query into weights that add to 1; the answer is the weighted mean of the values:
#
# $$W = \operatorname{softmax}\!\Big(\frac{Q K^\top}{\sqrt{d_k}}\Big), \qquad \text{output} = W\,V .$$
#
# Row $i$ of $W$ says how much query $i$ takes from each key. A **mask** hides keys: their score becomes
# $-\infty$ *before* the softmax, so their weight is exactly 0 and the others still add to 1.
#
# It is a dictionary with soft look-up: a query equal to one key and far from the others returns that key's
# value; a query between two keys returns a mixture.
#
# **By hand.** $d_k = 1$, $q = 1$, keys $0$ and $\ln 3$, values $0$ and $8$. Scores $0$ and $\ln 3$, weights
# $\frac14$ and $\frac34$, output 6.
#
# ### Exercise: attention


# %% exercise="attention" topics="attention"
def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention.

    q     float [..., L, d_k]
    k     float [..., S, d_k]
    v     float [..., S, d_v]
    mask  bool, broadcasts to [..., L, S]; True: the query may see the key. None: it may see all. Every query may see at
          least one key.

    Returns (output [..., L, d_v], weights [..., L, S]).
    """
    ### BEGIN SOLUTION
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1)
    return weights @ v, weights
    ### END SOLUTION


# %% check="attention" points=5
with checking.check("attention"):
    q, k, v = torch.tensor([[1.0]]), torch.tensor([[0.0], [math.log(3)]]), torch.tensor([[0.0], [8.0]])
    output, weights = attend(q, k, v)
    checking.close(weights, [[0.25, 0.75]], "the weights of the example", hint="softmax over the keys, the last axis")
    checking.close(output, [[6.0]], "the output of the example", hint="the weighted mean of the values")
    draw = torch.Generator().manual_seed(2)
    q, k, v = (torch.randn(2, 3, *size, generator=draw) for size in ((4, 8), (5, 8), (5, 6)))
    output, weights = attend(q, k, v)
    checking.equal(tuple(weights.shape), (2, 3, 4, 5), "the shape of the weights", hint="[..., queries, keys]")
    checking.close(
        output,
        F.scaled_dot_product_attention(q, k, v),
        "attend(q, k, v)[0]",
        atol=1e-5,
        hint="divide the scores by the square root of the numbers per key, here 8",
    )
    mask = torch.rand(4, 5, generator=draw) < 0.5
    mask[:, 2] = True
    output, weights = attend(q, k, v, mask)
    checking.close(
        output,
        F.scaled_dot_product_attention(q, k, v, mask),
        "attend(q, k, v, mask)[0]",
        atol=1e-5,
        hint="True means: may be seen; hide a key before the softmax, by a score of -inf",
    )
    checking.close(
        weights.sum(-1), torch.ones(2, 3, 4), "the sum of each query's weights", hint="also with a mask they add to 1"
    )
    checking.that(
        bool((weights[..., ~mask] == 0).all()), "a hidden key has exactly weight 0", hint="-1 or -10 is not enough"
    )
    checking.close(
        attend(100 * q, 100 * k, v)[0].isnan().any().float(),
        0.0,
        "no NaN for large scores",
        hint="use torch's softmax: it subtracts the largest score first",
    )
    with checking.unchanged(q=q, k=k, v=v, mask=mask):
        attend(q, k, v, mask)

# %% [markdown]
# **Why divide by $\sqrt{d_k}$?** If the numbers of $q$ and $k$ are independent with mean 0 and variance 1, their product is a sum of
# $d_k$ terms and has variance $d_k$. Without the division, scores grow with the width of a head, and softmax turns large
# scores into a single 1 and many zeros. Then almost nothing flows back: the slope of softmax is
# $\partial W_i / \partial s_j = W_i(\delta_{ij} - W_j)$, with $\delta_{ij} = 1$ for $i = j$ and 0 elsewhere, which is 0
# when one weight is 1. Measure it, with 64 random keys.

# %% experiment="why_scale" topics="attention"
widths = [1, 4, 16, 64, 256, 1024]
curves = {"divided by $\\sqrt{d_k}$": [], "not divided": []}
for width in widths:
    q, k = torch.randn(2, 64, width, generator=nb.generator(5)), torch.randn(2, 64, width, generator=nb.generator(6))
    for name, grown in zip(curves, (1.0, math.sqrt(width)), strict=True):
        weights = attend(grown * q, k, k)[1]  # a query times sqrt(d_k) undoes the division
        slopes = torch.diag_embed(weights) - weights[..., :, None] * weights[..., None, :]
        curves[name].append((weights.amax(-1).mean().item(), slopes.norm(dim=(-2, -1)).mean().item()))
figure, axes = plt.subplots(1, 2, figsize=(9.2, 3.1))
for axis, place, title in ((axes[0], 0, "largest weight of a query"), (axes[1], 1, "size of softmax's slopes")):
    for name, line in curves.items():
        axis.plot(widths, [point[place] for point in line], "o-", label=name)
    axis.set_xscale("log", base=2)
    axis.set_xticks(widths, widths)
    axis.set(title=f"64 keys: {title}", xlabel="numbers per key, $d_k$", ylabel="mean over queries", ylim=(0, None))
    axis.legend()
plt.show()
record("largest_weight_divided", curves["divided by $\\sqrt{d_k}$"][-1][0], low=0.05, high=0.2)
record("largest_weight_not_divided", curves["not divided"][-1][0], low=0.85, high=1)

# %% [markdown]
# Divided, attention starts soft at any width, with the same slopes, and can become sharp by learning longer queries. Not
# divided, a wide head starts with its mind made up, at random, and little flows back to change it.
#
# **What do trained heads look at?** A small GPT has just learned to copy a string of eight letters (the task of section 1).
# Choose a query in the second half. In which layer and head does it look seven letters back, at the letter that
# followed this one in the first half and that it must say next? Are there heads that do something else?

# %% demo="copying_heads" topics="attention"
torch.manual_seed(nb.seed)
model, draw = models.small_gpt(vocabulary=16, positions=16), nb.generator(7)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for _ in range(120):
    string = torch.randint(16, (32, 8), generator=draw)
    tokens = torch.cat([string, string], dim=1)
    optimizer.zero_grad()
    F.cross_entropy(model(tokens[:, :-1])[:, 7:].flatten(0, 1), string.flatten()).backward()
    optimizer.step()
maps = models.attention_maps(model, tokens[:1, :-1])
letters = ["abcdefghijklmnop"[token] for token in tokens[0, :-1]]
explore.attention_maps([layer[0] for layer in maps.values()], letters)

# %% [markdown]
# ## 5. Several heads
#
# One softmax gives one mean: a token cannot take its subject from here *and* its verb from there. With $h$
# **heads**, each works on $d_k = d/h$ numbers of its own. Project, split, attend, join, project:
#
# $$q = x W_q^\top,\quad k = m W_k^\top,\quad v = m W_v^\top,\qquad
#   \text{output} = [\text{head}_0, \dots, \text{head}_{h-1}]\, W_o^\top .$$
#
# $x$ are the tokens that ask and $m$ those that are asked; in self-attention they are the same. Head $j$ takes
# the numbers $j d_k$ to $(j+1) d_k - 1$ of every $q$, $k$ and $v$. The number of multiplications does not depend on
# $h$: the same numbers are multiplied, in smaller groups.
#
# **By hand.** $d = 4$, $h = 2$, $q = (1, 2, 3, 4)$: head 0 gets $(1, 2)$, head 1 gets $(3, 4)$. In memory
# `[N, L, d]` is `[N, L, h, d_k]`, and attention wants `[N, h, L, d_k]`.
#
# ### Exercise: multi-head attention
#
# `F.scaled_dot_product_attention(q, k, v, mask)` does what section 4 did, for any number of leading axes.


# %% exercise="multi_head" topics="multi_head"
def multi_head(
    x: Tensor,
    memory: Tensor,
    w_q: Tensor,
    w_k: Tensor,
    w_v: Tensor,
    w_o: Tensor,
    heads: int,
    mask: Tensor | None = None,
) -> Tensor:
    """Multi-head attention without biases.

    x       float [N, L, d]: the tokens that ask.
    memory  float [N, S, d]: the tokens that are asked.
    w_*     float [d, d], as the weight of nn.Linear: F.linear(x, w_q) are the queries.
    heads   divides d.
    mask    for F.scaled_dot_product_attention: None, or broadcasts to [N, heads, L, S].

    Returns float [N, L, d].
    """

    ### BEGIN SOLUTION
    def split(projected: Tensor) -> Tensor:  # [N, L, d] to [N, heads, L, d / heads]
        return projected.unflatten(2, (heads, -1)).transpose(1, 2)

    q, k, v = split(F.linear(x, w_q)), split(F.linear(memory, w_k)), split(F.linear(memory, w_v))
    mixed = F.scaled_dot_product_attention(q, k, v, mask)
    return F.linear(mixed.transpose(1, 2).flatten(2), w_o)
    ### END SOLUTION


# %% check="multi_head" points=4
with checking.check("multi_head"):
    eye = torch.eye(4)
    x = torch.tensor([[[8.0, 0, 0, 8], [0, 8.0, 8, 0]]])
    checking.close(
        multi_head(x, x, eye, eye, eye, eye, 2),
        x,
        "two heads, two tokens that each find themselves",
        atol=1e-3,
        hint="head 0 has the first two numbers of every token, head 1 the last two",
    )
    draw = torch.Generator().manual_seed(3)
    x, memory = torch.randn(2, 3, 12, generator=draw), torch.randn(2, 5, 12, generator=draw)
    weights = torch.randn(4, 12, 12, generator=draw) / 12**0.5
    for heads in (1, 3, 4):
        expected, _ = F.multi_head_attention_forward(
            x.transpose(0, 1), memory.transpose(0, 1), memory.transpose(0, 1), 12, heads, weights[:3].flatten(0, 1),
            None, None, None, False, 0.0, weights[3], None, need_weights=False,
        )  # fmt: skip
        checking.close(
            multi_head(x, memory, *weights, heads),
            expected.transpose(0, 1),
            f"multi_head(x, memory, ..., heads={heads})",
            atol=1e-5,
            hint="split each token's numbers, not the sequence: unflatten the last axis, then exchange heads and tokens; "
            "keys and values come from the memory; w_o comes last",
        )
    mask = torch.tensor([[True, False, True, True, True]] * 3)
    changed = memory.clone()
    changed[:, 1] += 1
    checking.close(
        multi_head(x, changed, *weights, 3, mask),
        multi_head(x, memory, *weights, 3, mask),
        "multi_head with a mask",
        hint="pass the mask on: a hidden token of the memory changes nothing",
    )
    checking.that(
        (multi_head(x, changed, *weights, 3) - multi_head(x, memory, *weights, 3)).abs().max() > 1e-3,
        "without a mask every token of the memory is seen",
    )

# %% [markdown]
# A task that needs two places at once: every token must answer with the difference of the two tokens before it,
# $x_{t-1} - x_{t-2}$. One layer of your attention learns it, with 1, 2 and 4 heads and the same number of
# parameters.

# %% experiment="heads_for_two_places" topics="multi_head"
length, content, width = 12, 8, 32
counts = (1, 2, 4)


def examples(count: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    x = torch.randn(count, length, content, generator=draw)
    return x, x[:, 1:-1] - x[:, :-2]


def relative_error(heads: int, start: int) -> float:
    """Mean square error after training, over the mean square of the answer (1: no better than answering 0)."""
    torch.manual_seed(nb.seed + start)
    places = nn.Parameter(torch.randn(length, width - content))
    weights = nn.ParameterList(nn.Linear(width, width, bias=False).weight for _ in range(4))
    optimizer = torch.optim.Adam([places, *weights], lr=1e-2)

    def answer(x: Tensor) -> Tensor:
        tokens = torch.cat([x, places.expand(len(x), -1, -1)], dim=2)
        return multi_head(tokens, tokens, *weights, heads)[:, 2:, :content]

    draw = nb.generator(8 + start)
    for _ in range(nb.pick(fast=150, full=2000)):
        x, expected = examples(32, draw)
        optimizer.zero_grad()
        F.mse_loss(answer(x), expected).backward()
        optimizer.step()
    x, expected = examples(200, nb.generator(20))
    with torch.no_grad():
        return (F.mse_loss(answer(x), expected) / expected.square().mean()).item()


errors = {heads: [relative_error(heads, start) for start in range(3)] for heads in counts}
figure, axes = plt.subplots(figsize=(6.4, 3.0))
for place, line in enumerate(errors.values()):
    axes.plot([place - 0.1, place, place + 0.1], line, "o", color="#0072B2", markersize=8)
axes.axhline(0.5, color="0.5", linestyle=":", label="one of the two tokens alone")
axes.set_xticks(range(len(counts)), counts)
axes.set(
    title="Answering $x_{t-1} - x_{t-2}$, one layer, three starts each",
    xlabel="heads (width 32)",
    ylabel="relative error",
    ylim=(-0.05, 1),
)
axes.legend()
plt.show()
record("best_error_one_head", min(errors[1]), low=0.4, high=0.6)
record("worst_error_four_heads", max(errors[4]), low=0, high=0.1)

# %% [markdown]
# One head can take a mixture of two places and cannot give one of them the other sign: all it takes goes through the same
# $W_v$. An error of 0.5 is what one of the two places alone leaves. With two heads the task can be solved, but not from
# every start: both heads may settle on the same place. Spare heads make that unlikely. This is one reason why trained networks
# often keep their accuracy when many of their heads are removed.

# %% [markdown]
# ## 6. The feed-forward part
#
# Attention mixes tokens and computes little on each. The second half of a layer does the opposite: two linear
# layers on every token by itself, usually with 4 times the width between them:
#
# $$\operatorname{FFN}(x) = \operatorname{GELU}(x W_1^\top + b_1)\, W_2^\top + b_2, \qquad
#   \operatorname{GELU}(x) = x\,\Phi(x), \quad \Phi(x) = \tfrac12\big(1 + \operatorname{erf}(x/\sqrt2)\big).$$
#
# $\Phi(x)$ is the chance that a standard normal number is below $x$. ReLU multiplies $x$ by 0 or 1; GELU
# (Hendrycks and Gimpel, 2016) by the chance that $x$ is large among normal numbers. Its slope is
# $\Phi(x) + x\,\varphi(x)$ with $\varphi(x) = e^{-x^2/2}/\sqrt{2\pi}$: smooth, and not 0 just below 0.
#
# **By hand.** $\operatorname{GELU}(0) = 0$ with slope $\frac12$. $\Phi(1) = 0.8413$, so
# $\operatorname{GELU}(1) = 0.8413$, $\operatorname{GELU}(-1) = -0.1587$, and the slope at 1 is
# $0.8413 + 0.2420 = 1.0833$.
#
# ### Exercise: GELU and the feed-forward network


# %% exercise="ffn_gelu" topics="ffn_gelu"
def gelu(x: Tensor) -> tuple[Tensor, Tensor]:
    """Values and slopes of GELU, each of x's shape: the exact form (with erf, not the tanh approximation), by hand."""
    ### BEGIN SOLUTION
    below = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    density = torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return x * below, below + x * density
    ### END SOLUTION


def feed_forward(x: Tensor, w_1: Tensor, b_1: Tensor, w_2: Tensor, b_2: Tensor) -> Tensor:
    """Two linear layers with your GELU between them. w_1 [hidden, d], w_2 [d, hidden]; x and the result [..., d]."""
    ### BEGIN SOLUTION
    values, _ = gelu(F.linear(x, w_1, b_1))
    return F.linear(values, w_2, b_2)
    ### END SOLUTION


# %% check="ffn_gelu" points=3
with checking.check("ffn_gelu"):
    x = torch.tensor([-1.0, 0.0, 1.0])
    with checking.without("F.gelu"):
        values, slopes = gelu(x)
    checking.close(
        values,
        [-0.158655, 0.0, 0.841345],
        "gelu([-1, 0, 1])[0]",
        hint="x * Phi(x); erf takes x / sqrt(2). 0.8412 is the tanh approximation, 0.8458 is x * sigmoid(1.702 x)",
    )
    checking.close(slopes, [-0.083315, 0.5, 1.083315], "gelu([-1, 0, 1])[1]", hint="Phi(x) + x * phi(x)")
    x = torch.linspace(-5, 5, 101)
    checking.close(gelu(x)[0], F.gelu(x), "gelu between -5 and 5", atol=1e-5)
    x.requires_grad_()
    checking.close(
        gelu(x.detach())[1],
        torch.autograd.grad(F.gelu(x).sum(), x)[0],
        "the slopes between -5 and 5",
        atol=1e-5,
        hint="the product rule: the factor Phi(x) has a slope too",
    )
    draw = torch.Generator().manual_seed(4)
    x, w_1, b_1, w_2, b_2 = (torch.randn(*size, generator=draw) for size in ((2, 3, 4), (6, 4), (6,), (4, 6), (4,)))
    checking.close(
        feed_forward(x, w_1, b_1, w_2, b_2),
        F.linear(F.gelu(F.linear(x, w_1, b_1)), w_2, b_2),
        "feed_forward(x, w_1, b_1, w_2, b_2)",
        atol=1e-5,
        hint="GELU stands between the two layers alone, and both have a bias",
    )

# %% experiment="gelu_and_its_price" topics="ffn_gelu"
x = torch.linspace(-4, 4, 161)
values, slopes = gelu(x)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.3))
left.plot(x, values, label="GELU", color="#0072B2")
left.plot(x, slopes, "--", label="its slope", color="#0072B2")
left.plot(x, x.relu(), label="ReLU", color="#D55E00")
left.plot(x, (x > 0).float(), "--", label="its slope", color="#D55E00")
left.set(title="GELU and ReLU", xlabel="x", ylabel="value, slope", ylim=(-0.5, 2.5))
left.legend()
width = 768  # of GPT-2 small and ViT-B; multiply-accumulates per token and layer, as functions of the tokens L
lengths = 2 ** torch.arange(6, 15)
parts = {
    "projections, $4 d^2$": torch.full((9,), 4 * width**2),
    "feed-forward, $8 d^2$": torch.full((9,), 8 * width**2),
    "scores and mixing, $2 L d$": 2 * lengths * width,
}
for name, macs in parts.items():
    right.loglog(lengths, macs / 1e6, label=name, base=2)
right.set(title="One layer of width 768", xlabel="tokens L", ylabel="million MACs per token")
right.yaxis.set_major_formatter("{x:g}")
right.legend(fontsize=8)
plt.show()
counted = measure.count(models.TransformerLayer(width, 12, 4 * width), torch.zeros(1, 256, width)).macs
record("counted_over_formula", counted / (256 * sum(int(macs[2]) for macs in parts.values())), low=1, high=1)

# %% [markdown]
# Two thirds of the parameters, and for short sequences two thirds of the work, are in the feed-forward part. The quadratic
# cost of attention, famous as it is, overtakes the rest only from $L = 6d$ on: 4,608 tokens here. Before you make
# attention cheap, look at how many tokens you have.

# %% [markdown]
# ## 7. Normalisation
#
# Layers add to a running sum, so numbers grow. **LayerNorm** (Ba et al., 2016) brings each token back to mean 0
# and variance 1, over *its own* $d$ numbers; other tokens and other samples play no part, so it works for any
# batch size and any length. **RMSNorm** (Zhang and Sennrich, 2019) leaves the mean alone and divides by the
# root mean square: one pass less.
#
# $$\operatorname{LN}(x) = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} \odot g + b, \qquad
#   \operatorname{RMS}(x) = \frac{x}{\sqrt{\frac1d\sum_j x_j^2 + \varepsilon}} \odot g .$$
#
# $\mu$ and $\sigma^2$ are mean and variance over the $d$ numbers (divide by $d$, not by $d - 1$), $g$ and $b$
# are learned, one number for each place.
#
# **By hand.** $x = (1, 3)$, $g = (1, 1)$, $b = 0$, $\varepsilon = 0$: $\mu = 2$, $\sigma = 1$,
# $\operatorname{LN} = (-1, 1)$. The mean square is 5: $\operatorname{RMS} = (0.447, 1.342)$.
#
# ### Exercise: LayerNorm and RMSNorm
#
# Write out the formulas; `F.layer_norm` and `F.rms_norm` are there to compare with.


# %% exercise="layer_norm" topics="layer_norm"
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """LayerNorm over the last axis, without F.layer_norm. x [..., d], weight and bias [d]."""
    ### BEGIN SOLUTION
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    return centred / (variance + eps).sqrt() * weight + bias
    ### END SOLUTION


def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    """RMSNorm over the last axis. x [..., d], weight [d]."""
    ### BEGIN SOLUTION
    mean_square = x.square().mean(-1, keepdim=True)
    return x / (mean_square + eps).sqrt() * weight
    ### END SOLUTION


# %% check="layer_norm" points=4
with checking.check("layer_norm"):
    pair, one, zero = torch.tensor([1.0, 3.0]), torch.ones(2), torch.zeros(2)
    with checking.without("F.layer_norm"):
        y = layer_norm(pair, one, zero, eps=0.0)
    checking.close(y, [-1.0, 1.0], "layer_norm((1, 3))", hint="0.707: divide by d, not by d - 1")
    checking.close(rms_norm(pair, one, eps=0.0), [5**-0.5, 3 * 5**-0.5], "rms_norm((1, 3))", hint="the mean stays in")
    draw = torch.Generator().manual_seed(5)
    x, weight, bias = torch.randn(3, 4, 6, generator=draw) + 2, *torch.randn(2, 6, generator=draw)
    checking.close(
        layer_norm(x, weight, bias),
        F.layer_norm(x, (6,), weight, bias),
        "layer_norm of a batch",
        atol=1e-5,
        hint="each token by itself, over the last axis (keepdim=True); then weight and bias, place by place",
    )
    checking.close(
        rms_norm(x, weight), F.rms_norm(x, (6,), weight, 1e-6), "rms_norm of a batch", atol=1e-5, hint="the square root"
    )
    small = 1e-3 * x
    checking.close(
        layer_norm(small, weight, bias, eps=1e-4),
        F.layer_norm(small, (6,), weight, bias, 1e-4),
        "layer_norm of small numbers",
        atol=1e-5,
        hint="eps is added to the variance, inside the root",
    )
    checking.close(
        rms_norm(small, weight, eps=1e-4),
        F.rms_norm(small, (6,), weight, 1e-4),
        "rms_norm of small numbers",
        atol=1e-5,
        hint="eps is added to the mean square, inside the root",
    )
    with checking.unchanged(x=x):
        layer_norm(x, weight, bias)
        rms_norm(x, weight)

# %% [markdown]
# **Where does it stand?** Each half of a layer (attention, feed-forward) is a *part* beside a shortcut. The
# first transformer normalised after the sum, **post-norm**; since GPT-2 the part's input is normalised and the
# shortcut left alone, **pre-norm**:
#
# $$\text{post: } x \leftarrow \operatorname{norm}\big(x + \operatorname{part}(x)\big), \qquad
#   \text{pre: } x \leftarrow x + \operatorname{part}\big(\operatorname{norm}(x)\big).$$
#
# In a pre-norm network a path without any normalisation leads from the first layer to the last.
#
# **By hand.** $x = (0, 2)$, the part doubles, norm is LN without $g$ and $b$. Post: $x + \text{part} = (0, 6)$,
# normalised $(-1, 1)$. Pre: $\operatorname{LN}(x) = (-1, 1)$, doubled $(-2, 2)$, plus $x$: $(-2, 4)$.
#
# ### Exercise: a transformer block
#
# The parts are made for you; `forward` is yours.


# %% exercise="norm_placement" topics="layer_norm"
class Block(nn.Module):
    """One layer of a transformer: self-attention, then the feed-forward network, each beside a shortcut."""

    def __init__(self, width: int, heads: int, hidden: int, pre_norm: bool) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.attention = models.TorchAttention(width, heads)  # called as attention(query, key, value, mask)
        self.feed = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)  # of the first and of the second part

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x float [N, L, width] to the same shape.

        mask  None, or float [L, L] that is added to the scores (0: may be seen, -inf: not); hand it on to the attention.
        """
        ### BEGIN SOLUTION
        if self.pre_norm:
            y = self.norm_1(x)
            x = x + self.attention(y, y, y, mask)
            return x + self.feed(self.norm_2(x))
        x = self.norm_1(x + self.attention(x, x, x, mask))
        return self.norm_2(x + self.feed(x))
        ### END SOLUTION


# %% check="norm_placement" points=4
with checking.check("norm_placement"), torch.random.fork_rng():
    torch.manual_seed(6)
    x, causal = torch.randn(2, 5, 8), nn.Transformer.generate_square_subsequent_mask(5)
    for pre_norm in (True, False):
        block = Block(8, 2, 12, pre_norm)
        torchs = nn.TransformerEncoderLayer(8, 2, 12, 0.0, F.gelu, batch_first=True, norm_first=pre_norm)
        names = {
            "norm_1": "norm1",
            "norm_2": "norm2",
            "attention": "self_attn",
            "feed.0": "linear1",
            "feed.2": "linear2",
        }
        own = {name: torch.randn_like(value) / 2 for name, value in block.state_dict().items()}
        block.load_state_dict(own)
        for mine, theirs in names.items():
            torchs.get_submodule(theirs).load_state_dict(block.get_submodule(mine).state_dict())
        kind = "pre-norm" if pre_norm else "post-norm"
        checking.close(
            block(x),
            torchs(x),
            f"a {kind} block",
            atol=1e-4,
            hint="pre: x + part(norm(x)); post: norm(x + part(x)); norm_1 belongs to the attention, norm_2 to the feed-forward",
        )
        checking.close(
            block(x, causal),
            torchs(x, causal),
            f"a {kind} block with a mask",
            atol=1e-4,
            hint="attention(y, y, y, mask)",
        )

# %% [markdown]
# Does the place matter? Stacks of your block read digits row by row (eight tokens of eight pixels), with Adam at a learning
# rate of 0.006 from the first step on: no warm-up.

# %% experiment="norm_and_depth" topics="layer_norm"
splits = data.digits()
depths = (2, 6, 16)


class Rows(nn.Module):
    """Rows of a picture as tokens, blocks, and a linear layer on all tokens."""

    def __init__(self, depth: int, pre_norm: bool, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.positions = nn.Parameter(torch.randn(8, width))
        self.blocks = nn.Sequential(*(Block(width, 4, 2 * width, pre_norm) for _ in range(depth)))
        self.norm = nn.LayerNorm(width) if pre_norm else nn.Identity()  # post-norm ends in one already
        self.head = nn.Linear(8 * width, 10)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(3 * (images[:, 0] - 0.3)) + self.positions  # about mean 0, variance 1
        return self.head(self.norm(self.blocks(tokens)).flatten(1))


def gradients(network: Rows) -> list[float]:
    """Size of the gradient of each block's first linear layer, before training."""
    F.cross_entropy(network(splits.train.images[:256]), splits.train.labels[:256]).backward()
    return [block.feed[0].weight.grad.norm().item() for block in network.blocks]


figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.3))
accuracy = {}
for pre_norm, name, marker in ((True, "pre-norm", "o"), (False, "post-norm", "s")):
    torch.manual_seed(nb.seed)
    left.plot(range(1, 17), gradients(Rows(16, pre_norm)), marker + "-", label=name)
    accuracy[name] = []
    for depth in depths:
        torch.manual_seed(nb.seed)
        network = Rows(depth, pre_norm).to(nb.device)
        optimizer = torch.optim.Adam(network.parameters(), lr=6e-3)
        fitted = training.fit(
            network,
            splits.train,
            splits.test,
            epochs=nb.pick(fast=2, full=20),
            optimizer=optimizer,
            seed=nb.seed,
            progress=False,
        )
        accuracy[name].append(fitted.test_accuracy[-1])
    right.plot(depths, accuracy[name], marker + "-", label=name)
left.set(
    title="16 blocks before training: first linear layer", xlabel="block", ylabel="norm of a gradient", ylim=(0, None)
)
right.axhline(0.1, color="0.5", linestyle=":", label="guessing")
right.set(title="Digits after two epochs", xlabel="blocks", ylabel="test accuracy", xticks=depths, ylim=(0, 1.02))
left.legend()
right.legend()
plt.show()
record("pre_norm_16_blocks", accuracy["pre-norm"][2], low=0.8, high=1)
record("post_norm_16_blocks", accuracy["post-norm"][2], low=0, high=0.45)
record("post_norm_2_blocks", accuracy["post-norm"][0], low=0.8, high=1)

# %% [markdown]
# With two blocks both learn; with sixteen, post-norm is lost at this learning rate. The gradients of the new networks hardly
# differ (left), so it is not that nothing flows back: the first large steps do the damage. At a rate of 0.001 the
# same network learns, and so it does with a warm-up that starts near 0, as the first transformers had (Xiong et al., 2020).
# Nearly all large models since GPT-2 are pre-norm, and many of the later ones use RMSNorm, since the mean turned out not to
# matter.

# %% [markdown]
# ## 8. Three families
#
# One layer, three ways to wire it. What differs is who may see whom, and what is predicted.
#
# | family | who sees whom | trained to | used for |
# |---|---|---|---|
# | **encoder** (BERT) | every token sees every token | fill in hidden tokens | *discriminative* tasks: a label for a text or for each token, search |
# | **decoder** (GPT) | a token sees itself and those before it | predict the next token | *generative* tasks: continue a text; with a prompt, nearly all others |
# | **encoder-decoder** (T5) | source sees source; target sees itself, what was before it, and all of the source | produce a target from a source | *generative* tasks with an input: translation, summaries |
#
# In a batch, short sequences are filled up with **padding**. No token may see padding. What padding itself sees
# does not matter in the end; here its rows follow the same rule as all others, since a row without any key would make
# softmax return NaN.
#
# **By hand.** Decoder, three tokens, the last is padding: rows `1 0 0`, `1 1 0`, `1 1 0`.
#
# ### Exercise: the masks


# %% exercise="family_masks" topics="transformer_families"
def family_masks(family: str, source: Tensor | None = None, target: Tensor | None = None) -> dict[str, Tensor]:
    """Who may see whom.

    family  "encoder" (is given a source), "decoder" (a target), or "encoder-decoder" (both).
    source  bool [N, S], True where a token is real, False where it is padding.
    target  bool [N, T], likewise; padding stands at the end.

    Returns bool masks, True: row i may see column j.
    "source" [N, S, S]  self-attention in the encoder, where there is one;
    "target" [N, T, T]  self-attention in the decoder, where there is one;
    "cross"  [N, T, S]  from target to source, in an encoder-decoder.
    """
    ### BEGIN SOLUTION
    masks = {}
    if family != "decoder":
        masks["source"] = source[:, None, :].expand(-1, source.shape[1], -1)
    if family != "encoder":
        length = target.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=target.device).tril()
        masks["target"] = causal & target[:, None, :]
    if family == "encoder-decoder":
        masks["cross"] = source[:, None, :].expand(-1, target.shape[1], -1)
    return masks
    ### END SOLUTION


# %% check="family_masks" points=4
with checking.check("family_masks"):
    real = torch.tensor([[True, True, False]])
    checking.equal(set(family_masks("encoder", source=real)), {"source"}, "the masks of an encoder")
    checking.equal(
        family_masks("encoder", source=real)["source"],
        torch.tensor([[[True, True, False]] * 3]),
        "an encoder's mask",
        hint="all see all real tokens, later ones too; the last axis is the one that is seen",
    )
    checking.equal(set(family_masks("decoder", target=real)), {"target"}, "the masks of a decoder")
    checking.equal(
        family_masks("decoder", target=real)["target"],
        torch.tensor([[[True, False, False], [True, True, False], [True, True, False]]]),
        "a decoder's mask",
        hint="itself and those before it, without padding",
    )
    source = torch.tensor([[True, True, False, False], [True, True, True, True]])
    masks = family_masks("encoder-decoder", source, torch.tensor([[True, True, True], [True, False, False]]))
    checking.equal(set(masks), {"source", "target", "cross"}, "the masks of an encoder-decoder")
    checking.equal(
        masks["cross"],
        source[:, None].repeat(1, 3, 1),
        "the mask from target to source",
        hint="[N, T, S]: every row sees all real tokens of its own source, whatever the order",
    )
    checking.equal(
        masks["target"][1],
        torch.tensor([[True, False, False]] * 3),
        "the second sequence's mask in the decoder",
        hint="its target has one real token: no row sees more",
    )
    checking.equal(masks["source"][0, 3], source[0], "what the encoder's last place of the first sequence sees")

# %% [markdown]
# **What each learns from.** The same batch of tokens becomes three different exercises. A token of its own,
# here 256 (bytes end at 255), hides a token from an encoder and starts the target of a decoder with a source.
# Targets of $-100$ are left out by `F.cross_entropy`.
#
# | family | inputs | targets |
# |---|---|---|
# | encoder | tokens, with 256 in the hidden places | the tokens of the hidden places, $-100$ elsewhere |
# | decoder | all tokens but the last | all tokens but the first |
# | encoder-decoder | source: the first `split` tokens; and 256, then the rest without its last token | the rest |
#
# In each, the place that must predict a token does not see it.
#
# **By hand.** Tokens `5 6 7 8`. Decoder: `5 6 7` to predict `6 7 8`. Encoder that hides the second: `5 256 7 8`
# and `-100 6 -100 -100`. Encoder-decoder with `split=2`: source `5 6`, decoder's input `256 7`, targets `7 8`.
#
# ### Exercise: what to predict


# %% exercise="family_objectives" topics="transformer_families"
def training_pair(
    family: str, tokens: Tensor, hidden: Tensor | None = None, split: int | None = None
) -> tuple[tuple[Tensor, ...], Tensor]:
    """What a family reads and what it must answer.

    tokens  int64 [N, L], 0 to 255; it keeps its values.
    hidden  bool [N, L]: which tokens an encoder must fill in.
    split   how many tokens are an encoder-decoder's source.

    Returns (inputs, targets): inputs is (tokens,) for an "encoder" or "decoder" and (source, decoder's input) for an
    "encoder-decoder"; targets has the shape of the last input. All int64.
    """
    ### BEGIN SOLUTION
    if family == "encoder":
        return (tokens.masked_fill(hidden, 256),), tokens.masked_fill(~hidden, -100)
    if family == "decoder":
        return (tokens[:, :-1],), tokens[:, 1:]
    source, target = tokens[:, :split], tokens[:, split:]
    return (source, F.pad(target[:, :-1], (1, 0), value=256)), target
    ### END SOLUTION


# %% check="family_objectives" points=4
with checking.check("family_objectives"):
    tokens = torch.tensor([[5, 6, 7, 8]])
    (inputs,), targets = training_pair("decoder", tokens)
    checking.equal(inputs, tokens[:, :3], "a decoder's input", hint="nothing follows the last token")
    checking.equal(targets, tokens[:, 1:], "a decoder's targets", hint="each place predicts the token after it")
    hidden = torch.tensor([[False, True, False, False]])
    with checking.unchanged(tokens=tokens):
        (inputs,), targets = training_pair("encoder", tokens, hidden=hidden)
    checking.equal(inputs, torch.tensor([[5, 256, 7, 8]]), "an encoder's input", hint="256 in the hidden place")
    checking.equal(
        targets, torch.tensor([[-100, 6, -100, -100]]), "an encoder's targets", hint="only hidden places count"
    )
    (source, inputs), targets = training_pair("encoder-decoder", tokens, split=2)
    checking.equal(source, tokens[:, :2], "an encoder-decoder's source", hint="the first two tokens")
    checking.equal(targets, tokens[:, 2:], "an encoder-decoder's targets", hint="all tokens after the source")
    checking.equal(
        inputs,
        torch.tensor([[256, 7]]),
        "its decoder's input",
        hint="the targets moved by one place behind 256: what it must predict is not yet there",
    )
    two = torch.arange(10).reshape(2, 5)
    (source, inputs), targets = training_pair("encoder-decoder", two, split=1)
    checking.equal(inputs, torch.tensor([[256, 1, 2, 3], [256, 6, 7, 8]]), "the decoder's input, two sequences")
    checking.equal(targets, two[:, 1:], "the targets, two sequences")

# %% [markdown]
# The masks as pictures, and one batch of source code in all three families. Every model is new, so every loss is near
# $\ln 256 = 5.5$. The last column divides the multiplications of one pass by the number of predictions it teaches.

# %% experiment="three_families" topics="transformer_families"
source, target = torch.ones(1, 8, dtype=torch.bool), torch.ones(1, 6, dtype=torch.bool)
source[:, 6:] = False
drawn = {
    "encoder": family_masks("encoder", source=source)["source"],
    "decoder": family_masks("decoder", target=target)["target"],
}
drawn |= {f"enc.-dec.: {name}": mask for name, mask in family_masks("encoder-decoder", source, target).items()}
figure, axes = plt.subplots(1, 5, figsize=(10, 2.5))
for axis, (name, mask) in zip(axes, drawn.items(), strict=True):
    axis.imshow(mask[0], cmap="Blues", vmin=-0.3, vmax=1.3)
    axis.set_title(name, fontsize=9)
    axis.set(xlabel="is seen", xticks=range(mask.shape[2]), yticks=range(mask.shape[1]))
    axis.tick_params(labelsize=7)
    axis.grid(visible=False)
axes[0].set_ylabel("sees")
figure.suptitle("Dark: may be seen. The last two tokens of the source are padding.", fontsize=10, x=0.01, ha="left")
plt.show()

torch.manual_seed(nb.seed)
tokens = data.code_text().train.windows(8, 64, nb.generator(10)).long()
hidden = torch.rand(tokens.shape, generator=nb.generator(11)) < 0.15  # BERT's share
bert, gpt, t5 = models.BertMasked(models.small_bert()), models.small_gpt(vocabulary=257), models.small_t5()
print(f"{'family':16}{'predictions':>12}{'loss, nats':>12}{'MACs per prediction':>22}")
price = {}
for family, model in (("encoder", bert), ("decoder", gpt), ("encoder-decoder", t5)):
    inputs, targets = training_pair(family, tokens, hidden=hidden, split=32)
    with torch.no_grad():
        loss = F.cross_entropy(model(*inputs).flatten(0, 1), targets.flatten()).item()
    predicted = int((targets != -100).sum())
    price[family] = measure.count(model, *inputs).macs / predicted
    print(f"{family:16}{predicted:12}{loss:12.2f}{price[family]:22,.0f}")
record("encoder_over_decoder_macs_per_prediction", price["encoder"] / price["decoder"], low=4.5, high=10)

# %% [markdown]
# A decoder learns from every token it reads, an encoder from one in seven: one reason why large models are
# decoders.
#
# **What a forgotten mask does.** The text is now rolled by dice: 16 equally likely letters. Nobody can predict them; the
# best possible loss is $\ln 16 = 2.77$. Two GPTs learn to predict the next letter, one with a decoder's mask and one with an
# encoder's.

# %% experiment="forgotten_mask" topics="transformer_families"
length, steps = 12, nb.pick(fast=100, full=400)
curves = {}
for name, mask in (
    ("decoder's mask", family_masks("decoder", target=torch.ones(1, length, dtype=torch.bool))["target"]),
    ("encoder's mask", family_masks("encoder", source=torch.ones(1, length, dtype=torch.bool))["source"]),
):
    torch.manual_seed(nb.seed)
    model, draw, curves[name] = models.small_gpt(vocabulary=16, positions=length), nb.generator(12), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps):
        (inputs,), targets = training_pair("decoder", torch.randint(16, (32, length + 1), generator=draw))
        loss = F.cross_entropy(model(inputs, mask=mask[:, None]).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curves[name].append(loss.item())
figure, axes = plt.subplots(figsize=(6.4, 3.0))
for name, line in curves.items():
    axes.plot(line, label=name)
axes.axhline(math.log(16), color="black", linestyle=":", label="best possible, ln 16")
axes.set(title="Predicting dice", xlabel="step", ylabel="training loss, nats", ylim=(0, None))
axes.legend()
plt.show()
record("dice_loss_decoder", sum(curves["decoder's mask"][-10:]) / 10, low=2.72, high=2.9)
record("dice_loss_encoder", sum(curves["encoder's mask"][-10:]) / 10, low=0, high=1.0)

# %% [markdown]
# A loss that is too good to be true is a leak. The second model has learned to look one place to the right. What is left
# of its loss is the last of the twelve places, which has nothing to its right: $2.77 / 12 = 0.23$. Asked to continue a
# text, it would be in that place every time.

# %% [markdown]
# Which of these statements are true?
#
# - **a**: Sorting mails into spam and not spam is a discriminative task; an encoder reads the whole mail in both
#   directions before it answers.
# - **b**: An encoder such as BERT generates text well: one asks it for the next token again and again, as in
#   training.
# - **c**: With the causal mask, one pass over an input of $L$ tokens trains $L$ predictions, one at
#   every place.
# - **d**: A decoder can classify too: write the question into the prompt and compare the probabilities of the
#   possible answers.
# - **e**: In an encoder-decoder, the queries of the cross-attention come from the source, its keys and values
#   from the target.
# - **f**: When a decoder generates, the encoder of an encoder-decoder must run once for every new token.
# - **g**: If the causal mask is forgotten in training, the training loss of a GPT becomes better and its text
#   worse.

# %% quiz="family_words" points=3 topics="transformer_families"
family_words = None  # a set of letters, such as {"a", "c"}
### BEGIN SOLUTION
family_words = {"a", "c", "d", "g"}
### END SOLUTION

# %% [markdown]
# ## 9. Pictures as tokens
#
# The **vision transformer** (Dosovitskiy et al., 2021) cuts a picture into patches of $P \times P$ pixels and
# treats each as a word:
#
# 1. flatten each patch into $C P^2$ numbers: first all of channel 0, row by row, then channel 1, and so on;
#    patches are taken row by row;
# 2. one linear layer turns each into $d$ numbers;
# 3. a learned **class token** is put in front; its last vector will be the picture's;
# 4. a learned position is added to every token, the class token's first.
#
# **By hand.** A 4x4 picture with the pixels $0 \dots 15$ and $P = 2$ has four patches: $(0, 1, 4, 5)$,
# $(2, 3, 6, 7)$, $(8, 9, 12, 13)$, $(10, 11, 14, 15)$. A photograph of 224x224 with $P = 16$ has 196; pixels as
# tokens would be 50,176, and attention 65,536 times dearer.
#
# ### Exercise: tokens of a picture
#
# Without convolutions and `F.unfold`. Reshape to `[N, C, rows, P, columns, P]` and exchange axes.


# %% exercise="vit_patches" topics="vit_patches"
def picture_tokens(
    images: Tensor, weight: Tensor, bias: Tensor, class_token: Tensor, positions: Tensor, patch: int
) -> Tensor:
    """What the first layer of a ViT reads.

    images       float [N, C, H, W], H and W multiples of patch.
    weight       float [d, C * patch * patch], and bias [d]: of the linear layer on each patch.
    class_token  float [d]
    positions    float [1 + patches, d], the class token's first.

    Returns float [N, 1 + patches, d].
    """
    ### BEGIN SOLUTION
    n, c, height, width = images.shape
    cut = images.reshape(n, c, height // patch, patch, width // patch, patch)
    patches = cut.permute(0, 2, 4, 1, 3, 5).reshape(n, -1, c * patch * patch)
    tokens = F.linear(patches, weight, bias)
    return torch.cat([class_token.expand(n, 1, -1), tokens], dim=1) + positions
    ### END SOLUTION


# %% check="vit_patches" points=4
with checking.check("vit_patches"):
    image, eye = torch.arange(16.0).reshape(1, 1, 4, 4), torch.eye(4)
    found = picture_tokens(image, eye, torch.zeros(4), torch.full((4,), -1.0), torch.zeros(5, 4), 2)
    checking.equal(tuple(found.shape), (1, 5, 4), "the shape for a 4x4 picture and patches of 2x2", hint="4 + 1 tokens")
    checking.close(
        found[0, 1:],
        [[0.0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]],
        "the patches of the example",
        hint="a reshape alone cuts rows, not squares: exchange axes first",
    )
    checking.close(found[0, 0], [-1.0] * 4, "the first token", hint="the class token stands in front")
    draw = torch.Generator().manual_seed(7)
    images, weight, bias = (torch.randn(*size, generator=draw) for size in ((2, 3, 6, 9), (5, 27), (5,)))
    class_token, positions = torch.randn(5, generator=draw), torch.randn(7, 5, generator=draw)
    with checking.without("F.conv2d", "F.unfold"), checking.unchanged(images=images, positions=positions):
        found = picture_tokens(images, weight, bias, class_token, positions, 3)
    expected = F.conv2d(images, weight.reshape(5, 3, 3, 3), bias, stride=3).flatten(2).mT
    checking.close(
        found[:, 1:] - positions[1:],
        expected,
        "the tokens of two colour pictures, without positions",
        atol=1e-5,
        hint="each patch channel by channel, patches row by row, then weight and bias",
    )
    checking.close(
        found[:, 0],
        (class_token + positions[0]).expand(2, 5),
        "the class token of both pictures",
        atol=1e-5,
        hint="position 0 is the class token's",
    )

# %% [markdown]
# Your tokens in a whole ViT: digits of 8x8 pixels become 16 patches of 2x2. After training, two changes to the test digits:
# the patches are shuffled, the same way in all pictures; then the positions are shuffled along with them.

# %% experiment="digits_as_tokens" topics="vit_patches"
splits = data.digits()
width, patch = 48, 2


class Patches(nn.Module):
    """`picture_tokens` as the map of tokens that models.VisionTransformer takes: [N, width, rows, columns]."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(patch * patch, width)
        nn.init.trunc_normal_(self.linear.weight, std=0.5)

    def forward(self, images: Tensor) -> Tensor:
        count = images.shape[2] * images.shape[3] // patch**2
        nothing = images.new_zeros(1 + count, width)  # the model has its own class token and positions
        tokens = picture_tokens(images, self.linear.weight, self.linear.bias, nothing[0], nothing, patch)[:, 1:]
        return tokens.mT.unflatten(2, (images.shape[2] // patch, -1))


torch.manual_seed(nb.seed)
network = models.VisionTransformer(8, patch, width, 2, 4, 2 * width, 10, 1, embed=Patches()).to(nb.device)
fitted = training.fit(
    network,
    splits.train,
    splits.test,
    epochs=nb.pick(fast=10, full=40),
    optimizer=torch.optim.Adam(network.parameters(), lr=3e-3),
    seed=nb.seed,
    progress=False,
)
order = torch.randperm(16, generator=nb.generator(13)).to(nb.device)
test = splits.test.to(nb.device)
cut = F.unfold(test.images, patch, stride=patch)  # [N, 4, 16]
shuffled = F.fold(cut[:, :, order], (8, 8), patch, stride=patch)
moved = data.Labelled(shuffled, test.labels, test.classes)
accuracy = {"as trained": fitted.test_accuracy[-1], "patches\nshuffled": training.evaluate(network, moved).accuracy}
with torch.no_grad():
    positions = network.encoder.pos_embedding
    positions[:, 1:] = positions[:, 1:][:, order]
accuracy["patches and\npositions shuffled"] = training.evaluate(network, moved).accuracy

figure, axes = plt.subplots(1, 3, figsize=(9.2, 3.0), width_ratios=[1, 1, 1.7])
for axis, image, title in ((axes[0], test.images[1, 0], "a digit, 16 tokens"), (axes[1], shuffled[1, 0], "shuffled")):
    axis.imshow(image.cpu(), cmap="gray_r", extent=(0, 8, 8, 0))
    axis.set_xticks(range(0, 9, 2))
    axis.set_yticks(range(0, 9, 2))
    axis.grid(color="#D55E00")
    axis.set(title=title, xlabel="pixels", ylabel="pixels")
bars = axes[2].bar(list(accuracy), list(accuracy.values()), color="#0072B2")
axes[2].bar_label(bars, fmt="%.2f")
axes[2].set(title="A ViT without its order", ylabel="test accuracy", ylim=(0, 1.05))
plt.show()
trained, without_order, both = accuracy.values()
record("vit_digits_accuracy", trained, low=0.85, high=0.99)
record("vit_patches_shuffled", without_order, low=0, high=0.65)
record("vit_all_shuffled_minus_trained", both - trained, low=-0.006, high=0.006)

# %% [markdown]
# A ViT treats its tokens as a set: shuffle the patches *and* their positions, and nothing changes. Only the learned positions know
# that a picture has an above and a below. A convolution knows it from the start, which is why a ViT needs more data
# or more training for the same accuracy.

# %% [markdown]
# ## 10. Attention in windows
#
# Attention over $L$ tokens computes $L^2$ scores. A picture of twice the side has 4 times the tokens and 16
# times the scores. **Swin** (Liu et al., 2021) lets tokens attend only within windows of $M \times M$ tokens:
# $L \cdot M^2$ scores, linear in the size of the picture.
#
# But then nothing crosses the border of a window. So every second layer **shifts** the windows by $M/2$. To
# keep all windows whole, the map is rolled: what leaves at the top and on the left comes back at the bottom and
# on the right.
#
# **By hand.** One row of tokens $0 \dots 7$ and $M = 4$: windows $(0, 1, 2, 3)$ and $(4, 5, 6, 7)$. Shifted by
# 2: $(2, 3, 4, 5)$ and $(6, 7, 0, 1)$.
#
# ### Exercise: into windows and back


# %% exercise="window_attention" topics="window_attention"
def to_windows(x: Tensor, window: int, shift: int = 0) -> Tensor:
    """Tokens of a map, sorted by window.

    x       float [N, H, W, C], H and W multiples of window.
    window  side of a window, in tokens.
    shift   the windows start `shift` tokens further down and to the right; what lies before comes after the end.

    Returns float [N, windows, window * window, C]: windows row by row, and in each the tokens row by row.
    """
    ### BEGIN SOLUTION
    n, height, width, c = x.shape
    x = x.roll((-shift, -shift), dims=(1, 2))
    x = x.reshape(n, height // window, window, width // window, window, c)
    return x.transpose(2, 3).reshape(n, -1, window * window, c)
    ### END SOLUTION


def from_windows(windowed: Tensor, height: int, width: int, shift: int = 0) -> Tensor:
    """The map [N, height, width, C] that `to_windows` with the same shift was given."""
    ### BEGIN SOLUTION
    n, _, size, c = windowed.shape
    window = math.isqrt(size)
    x = windowed.reshape(n, height // window, width // window, window, window, c)
    x = x.transpose(2, 3).reshape(n, height, width, c)
    return x.roll((shift, shift), dims=(1, 2))
    ### END SOLUTION


# %% check="window_attention" points=5
with checking.check("window_attention"):
    small = torch.arange(16.0).reshape(1, 4, 4, 1)
    checking.close(
        to_windows(small, 2)[0, :, :, 0],
        [[0.0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]],
        "to_windows(0..15 as 4x4, 2)",
        hint="split height and width, exchange the two axes in the middle, then join",
    )
    checking.close(
        to_windows(small, 2, shift=1)[0, :, :, 0],
        [[5.0, 6, 9, 10], [7, 4, 11, 8], [13, 14, 1, 2], [15, 12, 3, 0]],
        "to_windows(0..15 as 4x4, 2, shift=1)",
        hint="the first window starts at row 1, column 1: roll by -1 along both axes",
    )
    x = torch.randn(2, 6, 9, 4, generator=torch.Generator().manual_seed(8))
    with checking.unchanged(x=x):
        checking.equal(tuple(to_windows(x, 3, 1).shape), (2, 6, 9, 4), "the shape for [2, 6, 9, 4] and windows of 3")
    checking.close(
        to_windows(x, 3)[1, 5],
        x[1, 3:, 6:].reshape(9, 4),
        "the last window of the second map",
        hint="windows row by row: window 5 of 2 x 3 is the bottom right one",
    )
    for shift in (0, 1, 2):
        checking.close(
            from_windows(to_windows(x, 3, shift), 6, 9, shift),
            x,
            f"there and back with shift={shift}",
            hint="undo the steps in the opposite order: join first, then roll back by +shift",
        )

# %% [markdown]
# The roll has put strangers side by side: in the window $(6, 7, 0, 1)$ above, 7 and 0 are neighbours now, and
# are at opposite ends of the row. A mask keeps them apart. In a shifted map, the last `shift` rows and the last
# `shift` columns have come round from the other side. Two tokens of a window may see each other if for rows
# *and* for columns either both have come round, or neither.
#
# **By hand.** In `(6, 7, 0, 1)`: 6 and 7 see each other, 0 and 1 see each other, 7 and 0 do not.
#
# ### Exercise: the mask of shifted windows


# %% exercise="shifted_windows" topics="window_attention"
def shifted_window_mask(height: int, width: int, window: int, shift: int) -> Tensor:
    """Who may see whom in each window of a shifted map.

    height, width  of the map, multiples of window and at least twice as large.
    shift          from 0 (all may see all) to window - 1.

    Returns bool [windows, window * window, window * window], windows and tokens in the order of `to_windows`.
    """
    ### BEGIN SOLUTION
    came_down = torch.arange(height) >= height - shift
    came_right = torch.arange(width) >= width - shift
    piece = 2 * came_down[:, None] + came_right.long()[None]  # 0 to 3: [height, width]
    piece = piece.reshape(height // window, window, width // window, window)
    piece = piece.transpose(1, 2).reshape(-1, window * window)
    return piece[:, :, None] == piece[:, None, :]
    ### END SOLUTION


# %% check="shifted_windows" points=4
with checking.check("shifted_windows"):
    mask = shifted_window_mask(4, 4, 2, 1)
    checking.equal(tuple(mask.shape), (4, 4, 4), "the shape for a map of 4x4 and windows of 2")
    checking.equal(mask.dtype, torch.bool, "the dtype")
    checking.that(bool(mask[0].all()), "in the first window all may see all", hint="nothing in it has come round")
    two = torch.tensor([[True, False], [False, True]])
    checking.equal(
        mask[1],
        two.repeat(2, 2),
        "the window at the top right",
        hint="its second column came round from the left side; tokens are numbered row by row",
    )
    checking.equal(mask[2], two.repeat_interleave(2, 0).repeat_interleave(2, 1), "the window at the bottom left")
    checking.equal(mask[3], torch.eye(4).bool(), "the window in the corner", hint="four tokens of four corners")
    checking.that(bool(shifted_window_mask(6, 9, 3, 0).all()), "with shift=0 all may see all")
    mask = shifted_window_mask(6, 9, 3, 2)
    checking.equal(
        mask.sum((1, 2)).tolist(),
        [81, 81, 45, 45, 45, 25],
        "allowed pairs in each window of a 6x9 map, windows of 3, shift 2",
        hint="the last `shift` rows and columns came round: pieces of 1 and 2 lines in a window of 3",
    )
    checking.equal(mask[2, 0].tolist(), [True, False, False] * 3, "what the first token of window 2 sees")

# %% [markdown]
# Left: how far can information travel? In every layer each token of a 16x16 map takes the mean of all tokens it may see, in
# windows of 4. Coloured is what the marked token depends on. Right: what windows save, counted and measured, for
# maps of growing size (4 heads of 16 numbers).


# %% experiment="windows_reach_and_cost" topics="window_attention"
def depends_on(layers: int, shifted: bool, side: int = 16, window: int = 4, at: int = 9) -> Tensor:
    """How much the token at (at, at) takes from each token of the map after some layers: [side, side]."""
    x = torch.ones(1, side, side, 1, requires_grad=True)
    y = x
    for layer in range(layers):
        shift = window // 2 if shifted and layer % 2 else 0
        mask = shifted_window_mask(side, side, window, shift).float()
        y = from_windows(mask / mask.sum(-1, keepdim=True) @ to_windows(y, window, shift), side, side, shift)
    y[0, at, at, 0].backward()
    return x.grad[0, :, :, 0]


sides = (16, 24, 32, 48, 64)
macs, seconds = {"global": [], "windows of 8": []}, {"global": [], "windows of 8": []}
for side in sides:
    tokens = torch.randn(1, side, side, 64, generator=nb.generator(14))
    calls = {
        "global": lambda tokens=tokens: F.scaled_dot_product_attention(
            *[tokens.reshape(1, -1, 4, 16).transpose(1, 2)] * 3
        ),
        "windows of 8": lambda tokens=tokens: F.scaled_dot_product_attention(
            *[to_windows(tokens, 8)[0].unflatten(2, (4, 16)).transpose(1, 2)] * 3
        ),
    }
    for name, call in calls.items():
        keys = side**2 if name == "global" else 64
        macs[name].append(2 * side**2 * keys * 64)
        seconds[name].append(measure.latency(call, warmup=1, runs=3).median)

figure, axes = plt.subplot_mosaic("abce;dfge", figsize=(10, 4.3), width_ratios=[1, 1, 1, 2.4])
for (place, layers), shifted in zip(
    (("a", 1), ("b", 2), ("c", 4), ("d", 1), ("f", 2), ("g", 4)), [False] * 3 + [True] * 3, strict=True
):
    taken = depends_on(layers, shifted)
    axes[place].imshow(taken**0.25, cmap="Blues", vmin=0)
    axes[place].plot(9, 9, "x", color="#D55E00")
    axes[place].set_title(f"{layers} layer{'s' * (layers > 1)}, {'shifted' if shifted else 'not shifted'}", fontsize=8)
    axes[place].set(xticks=[3.5, 7.5, 11.5], yticks=[3.5, 7.5, 11.5], xticklabels=[], yticklabels=[])
    axes[place].grid(color="0.7")
for name, colour in (("global", "#D55E00"), ("windows of 8", "#0072B2")):
    counts = [side**2 for side in sides]
    axes["e"].loglog(counts, [s * 1e3 for s in seconds[name]], "o-", color=colour, label=f"{name}, measured")
    rate = seconds[name][0] / macs[name][0]
    axes["e"].loglog(counts, [m * rate * 1e3 for m in macs[name]], ":", color=colour, label="   as its MACs grow")
axes["e"].set(
    title=f"Attention over a map, one thread of\n{notebook.describe_hardware('cpu')}",
    xlabel="tokens",
    ylabel="time, ms",
)
axes["e"].set_xticks(counts, counts)
axes["e"].minorticks_off()
axes["e"].yaxis.set_major_formatter("{x:g}")
axes["e"].legend(fontsize=8)
plt.show()
record("tokens_reached_not_shifted", (depends_on(4, False) > 0).sum(), low=16, high=16)
record("tokens_reached_shifted", (depends_on(4, True) > 0).sum(), low=100, high=256)
record("global_over_windows_macs", macs["global"][-1] / macs["windows of 8"][-1], low=64, high=64)
record("global_over_windows_time", seconds["global"][-1] / seconds["windows of 8"][-1], low=4)

# %% [markdown]
# Without the shift a token never learns what happens beyond its window, however many layers follow. With it, the field grows like
# that of a convolution (the colour is the fourth root of the share, to show small ones). Time follows the count only
# roughly: cutting the map into windows is itself a copy of it.

# %% [markdown]
# ## 11. Attention at linear cost
#
# Softmax needs all $L^2$ scores, because $\exp(q\cdot k)$ does not come apart into a factor of the query and one of
# the key. Put $\phi(q)\cdot\phi(k)$ in its place, and the order of multiplication becomes free (Katharopoulos et
# al., 2020). EfficientViT (Cai et al., 2023) takes ReLU, with $\phi(x) = \max(x, 0)$ number by number:
#
# $$o_i = \frac{\sum_j \phi(q_i)\cdot\phi(k_j)\; v_j}{\sum_j \phi(q_i)\cdot\phi(k_j)}
#       = \frac{\phi(q_i)\,\big(\sum_j \phi(k_j)^\top v_j\big)}{\phi(q_i)\cdot\sum_j \phi(k_j)} .$$
#
# On the right, both sums over $j$ are the same for every query: a matrix $[d_k, d_v]$ and a vector $[d_k]$,
# made once. That takes $2 L\,d_k d_v$ multiplications instead of $L^2 (d_k + d_v)$, and nothing of size $L^2$ is ever stored.
#
# **By hand.** $d_k = 1$, keys $1, 3$, values $0, 8$, query 2: sums $1\cdot0 + 3\cdot8 = 24$ and $1 + 3 = 4$,
# output $48 / 8 = 6$. A query of 20 gives 6 too.
#
# ### Exercise: ReLU linear attention
#
# Add $10^{-15}$ to the denominator: a query with no positive number sees nothing and gets 0.


# %% exercise="linear_attention" topics="linear_attention"
def linear_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """ReLU attention, at a cost that grows with the number of tokens and not with its square.

    q  float [..., L, d_k], k [..., S, d_k]: before the ReLU.
    v  float [..., S, d_v]

    Returns float [..., L, d_v].
    """
    ### BEGIN SOLUTION
    q, k = q.relu(), k.relu()
    summary = k.mT @ v  # [..., d_k, d_v]
    total = k.sum(-2, keepdim=True).mT  # [..., d_k, 1]
    return q @ summary / (q @ total + 1e-15)
    ### END SOLUTION


# %% check="linear_attention" points=4
with checking.check("linear_attention"):
    k, v = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [8.0]])
    checking.close(
        linear_attention(torch.tensor([[2.0], [20.0], [-1.0]]), k, v),
        [[6.0], [6.0], [0.0]],
        "the example, and a query of -1",
        hint="48: divide by the sum of the weights; NaN: add 1e-15 to it",
    )
    draw = torch.Generator().manual_seed(9)
    q, k, v = (torch.randn(2, 3, *size, generator=draw) for size in ((5, 4), (7, 4), (7, 6)))
    scores = q.relu() @ k.relu().mT
    with checking.unchanged(q=q, k=k, v=v):
        found = linear_attention(q, k, v)
    checking.close(
        found,
        scores @ v / (scores.sum(-1, keepdim=True) + 1e-15),
        "linear_attention(q, k, v)",
        atol=1e-5,
        hint="ReLU on queries and keys, not on the values; sum over the keys in the denominator too",
    )

    class Counted(nn.Module):
        def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return linear_attention(q, k, v)

    many = torch.randn(3, 1, 1024, 8, generator=draw)
    checking.that(
        measure.count(Counted(), *many).macs <= 4 * 1024 * 8 * 8,
        "1024 tokens with 8 numbers each need at most 4 * 1024 * 8 * 8 multiplications",
        hint="multiply keys and values first: nothing may have the shape [tokens, tokens]",
    )

# %% experiment="linear_cost" topics="linear_attention"
counts = (256, 512, 1024, 2048, 4096)
seconds = {"softmax": [], "ReLU, linear": []}
for tokens in counts:
    q, k, v = torch.randn(3, 1, 4, tokens, 16, generator=nb.generator(15))
    calls = {
        "softmax": partial(F.scaled_dot_product_attention, q, k, v),
        "ReLU, linear": partial(linear_attention, q, k, v),
    }
    for name, call in calls.items():
        seconds[name].append(measure.latency(call, warmup=1, runs=5).median)

lengths = [1, 2, 4, 8, 16, 32]
q, k = torch.randn(1, 16, generator=nb.generator(16)), torch.randn(64, 16, generator=nb.generator(17))
eye = torch.eye(64)  # with these values the output is the weights
sharpest = {
    "softmax": [F.scaled_dot_product_attention(n * q, k, eye).max().item() for n in lengths],
    "ReLU, linear": [linear_attention(n * q, k, eye).max().item() for n in lengths],
}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.4))
for name in seconds:
    left.loglog(counts, [s * 1e3 for s in seconds[name]], "o-", label=name)
    right.plot(lengths, sharpest[name], "o-", label=name)
left.set_xticks(counts, counts)
left.minorticks_off()
left.yaxis.set_major_formatter("{x:g}")
left.set(
    title=f"4 heads of 16 numbers, one thread of\n{notebook.describe_hardware('cpu')}",
    xlabel="tokens",
    ylabel="time, ms",
)
right.set_xscale("log", base=2)
right.set_xticks(lengths, lengths)
right.set(title="Can it focus? 64 random keys", xlabel="the query, times", ylabel="largest weight", ylim=(0, 1.05))
left.legend()
right.legend()
plt.show()

network = models.small_efficientvit(linear_attention=linear_attention).eval()
every_pair = models.small_efficientvit().eval()
every_pair.load_state_dict(network.state_dict())
x = torch.randn(1, 3, 256, 256, generator=nb.generator(18))
with torch.no_grad():
    difference = (network(x) - every_pair(x)).abs().max()
ratio = measure.count(every_pair, x).macs / measure.count(network, x).macs
print(f"EfficientViT, 256x256 pixels: with all pairs {ratio:.1f} times the MACs, for the same answer")
record("efficientvit_difference", difference, low=0, high=1e-3)
record("efficientvit_macs_all_pairs_over_linear", ratio, low=1.5)
record("softmax_over_linear_time_4096", seconds["softmax"][-1] / seconds["ReLU, linear"][-1], low=4)
record("linear_sharpness_change", sharpest["ReLU, linear"][-1] / sharpest["ReLU, linear"][0], low=0.999, high=1.001)

# %% [markdown]
# The price is on the right. A longer query makes softmax look at one key; ReLU attention divides the length out again, so it always
# spreads its weight. EfficientViT therefore adds convolutions, which see detail, and runs attention also on
# aggregates of neighbouring tokens. For language, where one exact token can decide, linear attention pays more
# dearly.

# %% [markdown]
# ## 12. Sparse points in equal groups
#
# A laser scanner sees a street as points: most cells of the map are empty. Windows of equal *area* hold very different numbers of
# *points*, and a batch of windows must be padded to the fullest. **FlatFormer** (Liu et al., 2023) sorts the
# points by window and cuts the sorted list into groups of equal *size*: every group is full, and neighbours in
# the list are mostly neighbours in space. Layers sort by $x$, by $x$ with shifted windows, by $y$, by $y$ shifted, so that
# groups overlap. `models.group_points` does it.

# %% experiment="groups_of_points" topics="flatformer"
draw = nb.generator(19)
cells, window, size = 72, 9, 32
distance = 3 + 33 * torch.rand(3000, generator=draw) ** 2  # rings of a scanner in the middle: denser when near
angle = 2 * math.pi * torch.rand(3000, generator=draw)
ground = torch.stack([distance * angle.cos(), distance * angle.sin()], dim=1) + cells / 2
boxes = (torch.rand(500, 2, generator=draw) * torch.tensor([6.0, 3.0])).reshape(5, 100, 2)
boxes = boxes + torch.tensor([[50.0, 50], [12, 40], [55, 20], [25, 60], [30, 12]])[:, None]
points = torch.cat([ground, boxes.reshape(-1, 2)]).long().unique(dim=0)  # occupied cells: [P, 2], column and row
groups = models.group_points(points, window=window, size=size)

number = (points // window) @ torch.tensor([1, cells // window])
per_window = torch.bincount(number, minlength=(cells // window) ** 2)
fullest = int(per_window.max())
features = torch.randn(len(points), 64, generator=draw)
padded = torch.zeros(len(per_window), fullest, 64)
slots = torch.cat([torch.arange(int(count)) for count in per_window])
padded[number.sort(stable=True).values, slots] = features[number.argsort(stable=True)]
real = (torch.arange(fullest) < per_window[:, None])[:, None, None, :]


def four_heads(x: Tensor, mask: Tensor | None = None) -> Tensor:
    return F.scaled_dot_product_attention(*[x.unflatten(2, (4, 16)).transpose(1, 2)] * 3, mask)


mask = real | (per_window == 0)[:, None, None, None]  # an empty window may see its padding: no row without keys
slots_used = {
    "windows, padded": len(per_window) * fullest,
    "equal groups": groups.index.numel(),
}
pairs = {"windows, padded": len(per_window) * fullest**2, "equal groups": len(groups.index) * size**2}
seconds = {
    "windows, padded": measure.latency(lambda: four_heads(padded, mask), runs=7).median,
    "equal groups": measure.latency(
        lambda: groups.scatter(four_heads(groups.gather(features)).transpose(1, 2).flatten(2)), runs=7
    ).median,
}

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 3.5), width_ratios=[1, 1, 1.15])
left.scatter(*points.T, s=3, c="0.3")
left.set(title=f"{len(points)} points, windows of {window}", xlabel="x, cells", ylabel="y, cells")
colour = torch.empty(len(points))
colour[groups.index[groups.real]] = (
    torch.arange(len(groups.index))[:, None].expand_as(groups.index)[groups.real] * 7 % 20
).float()
middle.scatter(*points.T, s=3, c=colour, cmap="tab20")
middle.set(title=f"{len(groups.index)} groups of {size}", xlabel="x, cells")
for axis in (left, middle):
    axis.set(
        xlim=(0, cells),
        ylim=(0, cells),
        aspect="equal",
        xticks=range(0, cells + 1, window),
        yticks=range(0, cells + 1, window),
    )
    axis.tick_params(labelsize=7)
right.hist(per_window, bins=range(0, fullest + 4, 4), color="#0072B2", label="windows")
right.axvline(size, color="#D55E00", label="every group")
right.set(title="How full is a window?", xlabel="points", ylabel="windows")
right.legend()
plt.show()
for name in slots_used:
    print(
        f"{name:16} {slots_used[name]:6,} places for {len(points):,} points, {pairs[name]:9,} pairs, {seconds[name] * 1e3:.2f} ms"
    )
record("padded_over_real_points", slots_used["windows, padded"] / len(points), low=1.8, high=4)
record("groups_over_real_points", slots_used["equal groups"] / len(points), low=1, high=1.03)
record("padded_over_groups_time", seconds["windows, padded"] / seconds["equal groups"], low=1)
outputs = models.small_flatformer(cells=cells)(torch.ones(len(points), 1), points)
print(f"a FlatFormer of four such layers answers with {tuple(outputs.shape)} logits")

# %% [markdown]
# Padded windows compute on about two empty places for every point; groups waste at most a part of the last one. The price: a group
# may straddle two windows, so it is not exactly a neighbourhood. The paper finds that this costs no accuracy, and
# that the even work is what makes the GPU fast.

# %% [markdown]
# ## 13. Questions
#
# Answer in a few sentences, with numbers where they help.

# %% [markdown] question="choose_attention" points=3 topics="attention, window_attention, linear_attention"
# **Question 1.** A camera sends pictures of 512x512 pixels to a small device that must mark every pixel of a
# road. A colleague proposes a ViT with patches of 4x4 pixels and width 64. Work out what global attention would
# cost, compare it with windows of 8x8 tokens and with linear attention, and choose. What does your choice give up,
# and how would you find out whether that matters here?
#
# ### BEGIN SOLUTION
# 128 x 128 = 16,384 tokens. Global attention multiplies 2 * 16,384^2 * 64 = 34 billion times per layer for scores
# and mixing (the four projections and the feed-forward part take 12 * 64^2 * 16,384 = 0.8 billion), and one
# head's scores in float32 take 1 GB unless a fused kernel avoids storing them. Windows of 64 tokens:
# 2 * 16,384 * 64 * 64 = 0.13 billion, 256 times less. Linear attention with d_k = 16 per head: 2 * 16,384 * 64 * 16
# = 0.03 billion. Either makes attention cheaper than the projections. Windows give up long range within a layer: with
# shifts the reach grows by half a window per layer, so a road that crosses the picture is put together over many
# layers or by merging patches. Linear attention sees everything but cannot focus: its weights do not
# sharpen with larger queries, so it is usually paired with convolutions for local detail, as EfficientViT does.
# To find out: train both at equal time on the device, and compare the error near and far from road edges; or
# measure on a trained global model how much weight falls outside a window. Full marks for either choice with right
# numbers and a test that could overturn it.
# ### END SOLUTION

# %% [markdown] question="transformer_or_not" points=3 topics="pre_transformer, attention"
# **Question 2.** You have 2 MB of log lines, a microcontroller that reads one byte at a time, and a few seconds of
# training. Which of the models of section 1 do you take, and what would have to change before you would take the
# transformer? Use what you measured.
#
# ### BEGIN SOLUTION
# At this budget the recurrent and convolutional models have the lower loss on text, because most of what predicts a
# byte lies a few bytes back, and they have that built in while a transformer must first learn to look there. On a
# device that reads byte by byte, the LSTM (or a GRU) keeps a state of fixed size and does the same small work per byte; a
# transformer must keep the keys and values of all bytes before, and its work per byte grows with them. So: LSTM,
# or the convolution with a ring buffer of its field. The transformer becomes the right choice when the answer
# depends on something far back that must be looked up exactly (the copying task, where the recurrent state is a
# bottleneck), when there is far more data and training time (its loss keeps falling, and all positions train at
# once on parallel hardware), or when sequences are short enough for its memory. Evidence to ask for: loss against
# training time at ten times the budget, and loss as a function of distance to the needed information.
# ### END SOLUTION

# %% [markdown]
# ## Read more
#
# - Vaswani et al.: *Attention Is All You Need*, NeurIPS 2017,
#   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762).
# - Bai, Kolter, Koltun: *An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
#   Modeling*, 2018, [arXiv:1803.01271](https://arxiv.org/abs/1803.01271). Section 1, in full.
# - Sennrich, Haddow, Birch: *Neural Machine Translation of Rare Words with Subword Units*, ACL 2016,
#   [arXiv:1508.07909](https://arxiv.org/abs/1508.07909). Byte-pair encoding.
# - Elhage et al.: *A Mathematical Framework for Transformer Circuits*, 2021,
#   [transformer-circuits.pub](https://transformer-circuits.pub/2021/framework/index.html). What heads do, and
#   why induction heads (find the last occurrence, copy what followed) need two layers.
# - Hendrycks, Gimpel: *Gaussian Error Linear Units*, 2016, [arXiv:1606.08415](https://arxiv.org/abs/1606.08415).
# - Ba, Kiros, Hinton: *Layer Normalization*, 2016, [arXiv:1607.06450](https://arxiv.org/abs/1607.06450).
# - Zhang, Sennrich: *Root Mean Square Layer Normalization*, NeurIPS 2019,
#   [arXiv:1910.07467](https://arxiv.org/abs/1910.07467).
# - Xiong et al.: *On Layer Normalization in the Transformer Architecture*, ICML 2020,
#   [arXiv:2002.04745](https://arxiv.org/abs/2002.04745). Pre-norm, post-norm and warm-up.
# - Devlin et al.: *BERT*, NAACL 2019, [arXiv:1810.04805](https://arxiv.org/abs/1810.04805). Radford et al.:
#   *Language Models are Unsupervised Multitask Learners*, 2019 (GPT-2). Raffel et al.: *Exploring the Limits of
#   Transfer Learning with a Unified Text-to-Text Transformer*, JMLR 2020,
#   [arXiv:1910.10683](https://arxiv.org/abs/1910.10683) (T5).
# - Dosovitskiy et al.: *An Image is Worth 16x16 Words*, ICLR 2021,
#   [arXiv:2010.11929](https://arxiv.org/abs/2010.11929).
# - Liu et al.: *Swin Transformer*, ICCV 2021, [arXiv:2103.14030](https://arxiv.org/abs/2103.14030).
# - Katharopoulos et al.: *Transformers are RNNs*, ICML 2020,
#   [arXiv:2006.16236](https://arxiv.org/abs/2006.16236). Linear attention.
# - Cai et al.: *EfficientViT*, ICCV 2023, [arXiv:2205.14756](https://arxiv.org/abs/2205.14756).
# - Liu et al.: *FlatFormer*, CVPR 2023, [arXiv:2301.08739](https://arxiv.org/abs/2301.08739).
