# %% [markdown]
# Wrong answers that the visible checks must catch, and other right answers that they must accept.


# %% wrong="bpe_merges" name="counts once and takes the most frequent pairs"
def learn_merges(text, count):
    pairs = Counter(itertools.pairwise(text))
    return [pair for pair, times in pairs.most_common(count) if times >= 2]


# %% wrong="bpe_merges" name="merges pairs that occur once"
def learn_merges(text, count):
    tokens, merges = list(text), []
    while len(merges) < count and len(tokens) > 1:
        pairs = Counter(itertools.pairwise(tokens))
        best = max(pairs, key=pairs.get)
        tokens = merge_pair(tokens, best, 256 + len(merges))
        merges.append(best)
    return merges


# %% wrong="bpe_merges" name="takes the last of equally frequent pairs"
# -         best = max(pairs, key=pairs.get, default=None)
# +         best = max(reversed(pairs), key=pairs.get, default=None)

# %% wrong="bpe_merges" name="takes the smallest of equally frequent pairs"
# -         best = max(pairs, key=pairs.get, default=None)
# +         best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)

# %% wrong="bpe_merges" name="gives every merge the number 256"
# -         tokens = merge_pair(tokens, best, 256 + len(merges))
# +         tokens = merge_pair(tokens, best, 256)

# %% wrong="bpe_merges" name="looks at every second pair only"
# -         pairs = Counter(itertools.pairwise(tokens))
# +         pairs = Counter(zip(tokens[::2], tokens[1::2], strict=False))


# %% right="bpe_merges" name="a plain dict and a sort"
def learn_merges(text, count):
    tokens, merges = [*text], []
    for new in range(256, 256 + count):
        counts = {}
        for place in range(len(tokens) - 1):
            pair = tokens[place], tokens[place + 1]
            counts[pair] = counts.get(pair, 0) + 1
        ranked = sorted(counts.items(), key=lambda item: -item[1])  # a stable sort keeps the order of the text
        if not ranked or ranked[0][1] == 1:
            return merges
        merges.append(ranked[0][0])
        tokens = merge_pair(tokens, ranked[0][0], new)
    return merges


# %% wrong="bpe_encode" name="replays the merges backwards"
# -     for index, pair in enumerate(merges):
# -         tokens = merge_pair(tokens, pair, 256 + index)
# +     for index in reversed(range(len(merges))):
# +         tokens = merge_pair(tokens, merges[index], 256 + index)

# %% wrong="bpe_encode" name="one pass: merges pairs of bytes only"
# -     tokens = list(text)
# -     for index, pair in enumerate(merges):
# -         tokens = merge_pair(tokens, pair, 256 + index)
# +     numbers = {pair: 256 + index for index, pair in enumerate(merges)}
# +     tokens, place = [], 0
# +     while place < len(text):
# +         pair = tuple(text[place : place + 2])
# +         tokens.append(numbers.get(pair, text[place]))
# +         place += 2 if pair in numbers else 1

# %% wrong="bpe_encode" name="takes tokens apart by one step only"
# -     strings = [bytes([byte]) for byte in range(256)]
# -     for left, right in merges:
# -         strings.append(strings[left] + strings[right])
# -     return b"".join(strings[token] for token in tokens)
# +     parts = [part for token in tokens for part in (merges[token - 256] if token > 255 else (token,))]
# +     return bytes(part % 256 for part in parts)

# %% wrong="bpe_encode" name="decodes the parts in the wrong order"
# -         strings.append(strings[left] + strings[right])
# +         strings.append(strings[right] + strings[left])

# %% wrong="bpe_encode" name="treats bytes above 127 as letters of another code"
# -     tokens = list(text)
# +     tokens = list(text.decode("utf-8", errors="ignore").encode("ascii", errors="ignore"))


# %% right="bpe_encode" name="the earliest merge that applies, and decoding by recursion"
def encode_text(text, merges):
    ranks = {tuple(pair): rank for rank, pair in enumerate(merges)}
    tokens = list(text)
    while len(tokens) > 1:
        first = min(itertools.pairwise(tokens), key=lambda pair: ranks.get(pair, math.inf))
        if first not in ranks:
            break
        tokens = merge_pair(tokens, first, 256 + ranks[first])
    return tokens


def decode_text(tokens, merges):
    def spell(token):
        return bytes([token]) if token < 256 else b"".join(map(spell, merges[token - 256]))

    return b"".join(map(spell, tokens))


# %% right="embeddings" name="angles in one product"
def embed_tokens(tokens, table):
    width = table.shape[1]
    angles = torch.arange(tokens.shape[1])[:, None] * 10000.0 ** (-torch.arange(0, width, 2) / width)
    return math.sqrt(width) * table[tokens] + torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


# %% wrong="embeddings" name="forgets the factor sqrt(d)" of="angles in one product"
# -     return math.sqrt(width) * table[tokens] + torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
# +     return table[tokens] + torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)

# %% wrong="embeddings" name="all sines first, then all cosines" of="angles in one product"
# -     return math.sqrt(width) * table[tokens] + torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
# +     return math.sqrt(width) * table[tokens] + torch.cat([angles.sin(), angles.cos()], dim=1)

# %% wrong="embeddings" name="the first position is 1" of="angles in one product"
# -     angles = torch.arange(tokens.shape[1])[:, None] * 10000.0 ** (-torch.arange(0, width, 2) / width)
# +     angles = (torch.arange(tokens.shape[1]) + 1)[:, None] * 10000.0 ** (-torch.arange(0, width, 2) / width)

# %% wrong="embeddings" name="the exponent is i / d" of="angles in one product"
# -     angles = torch.arange(tokens.shape[1])[:, None] * 10000.0 ** (-torch.arange(0, width, 2) / width)
# +     angles = torch.arange(tokens.shape[1])[:, None] * 10000.0 ** (-torch.arange(width // 2) / width)


# %% wrong="embeddings" name="every place of the vector has its own frequency"
def embed_tokens(tokens, table):
    width = table.shape[1]
    angles = torch.arange(tokens.shape[1])[:, None] * 10000.0 ** (-torch.arange(width) / width)
    waves = torch.where(torch.arange(width) % 2 == 0, angles.sin(), angles.cos())
    return math.sqrt(width) * table[tokens] + waves


# %% wrong="embeddings" name="scales the positions too" of="angles in one product"
# -     return math.sqrt(width) * table[tokens] + torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
# +     return math.sqrt(width) * (table[tokens] + torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1))


# %% wrong="embeddings" name="the position is the token's number"
def embed_tokens(tokens, table):
    width = table.shape[1]
    angles = tokens[..., None] * 10000.0 ** (-torch.arange(0, width, 2) / width)
    return math.sqrt(width) * table[tokens] + torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(2)


# %% right="embeddings" name="one-hot product, and the waves place by place"
def embed_tokens(tokens, table):
    vocabulary, width = table.shape
    words = F.one_hot(tokens, vocabulary).to(table.dtype) @ table
    waves = torch.zeros(tokens.shape[1], width)
    for position in range(tokens.shape[1]):
        for place in range(width):
            angle = position / 10000 ** ((place - place % 2) / width)
            waves[position, place] = math.cos(angle) if place % 2 else math.sin(angle)
    return words * width**0.5 + waves


# %% wrong="attention" name="forgets the scale"
# -     scores = q @ k.mT / math.sqrt(q.shape[-1])
# +     scores = q @ k.mT

# %% wrong="attention" name="divides by d_k"
# -     scores = q @ k.mT / math.sqrt(q.shape[-1])
# +     scores = q @ k.mT / q.shape[-1]

# %% wrong="attention" name="softmax over the queries"
# -     weights = scores.softmax(dim=-1)
# +     weights = scores.softmax(-2).nan_to_num()

# %% wrong="attention" name="hides what may be seen"
# -         scores = scores.masked_fill(~mask, -torch.inf)
# +         scores = scores.masked_fill(mask, -torch.inf)


# %% wrong="attention" name="sets weights to zero after the softmax"
def attend(q, k, v, mask=None):
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
    if mask is not None:
        weights = weights * mask
    return weights @ v, weights


# %% wrong="attention" name="adds the mask as a number"
# -         scores = scores.masked_fill(~mask, -torch.inf)
# +         scores = scores - 10.0 * ~mask


# %% wrong="attention" name="exponentials that overflow"
def attend(q, k, v, mask=None):
    scores = (q @ k.mT / math.sqrt(q.shape[-1])).exp()
    if mask is not None:
        scores = scores * mask
    weights = scores / scores.sum(-1, keepdim=True)
    return weights @ v, weights


# %% right="attention" name="einsum, and a softmax by hand"
def attend(q, k, v, mask=None):
    scores = torch.einsum("...id,...jd->...ij", q * q.shape[-1] ** -0.5, k)
    if mask is not None:
        scores = torch.where(mask, scores, -torch.inf)
    scores = (scores - scores.amax(-1, keepdim=True)).exp()
    weights = scores / scores.sum(-1, keepdim=True)
    return torch.einsum("...ij,...jd->...id", weights, v), weights


# %% right="multi_head" name="splits inside the call"
def multi_head(x, memory, w_q, w_k, w_v, w_o, heads, mask=None):
    def split(t):
        return t.unflatten(2, (heads, -1)).transpose(1, 2)

    mixed = F.scaled_dot_product_attention(
        split(F.linear(x, w_q)), split(F.linear(memory, w_k)), split(F.linear(memory, w_v)), mask
    )
    return F.linear(mixed.transpose(1, 2).flatten(2), w_o)


# %% wrong="multi_head" name="cuts the sequence instead of the numbers"
def multi_head(x, memory, w_q, w_k, w_v, w_o, heads, mask=None):
    n, length, width = x.shape

    def split(t):
        return t.reshape(n, heads, -1, width // heads)

    mixed = F.scaled_dot_product_attention(
        split(F.linear(x, w_q)), split(F.linear(memory, w_k)), split(F.linear(memory, w_v)), mask
    )
    return F.linear(mixed.reshape(n, length, width), w_o)


# %% wrong="multi_head" name="every head takes each h-th number" of="splits inside the call"
# -         return t.unflatten(2, (heads, -1)).transpose(1, 2)
# +         return t.unflatten(2, (-1, heads)).permute(0, 3, 1, 2)

# -     return F.linear(mixed.transpose(1, 2).flatten(2), w_o)
# +     return F.linear(mixed.permute(0, 2, 3, 1).flatten(2), w_o)

# %% wrong="multi_head" name="joins the heads without moving them back" of="splits inside the call"
# -     return F.linear(mixed.transpose(1, 2).flatten(2), w_o)
# +     return F.linear(mixed.reshape(x.shape), w_o)

# %% wrong="multi_head" name="forgets the last projection" of="splits inside the call"
# -     return F.linear(mixed.transpose(1, 2).flatten(2), w_o)
# +     return mixed.transpose(1, 2).flatten(2)


# %% wrong="multi_head" name="multiplies by the weights untransposed"
def multi_head(x, memory, w_q, w_k, w_v, w_o, heads, mask=None):
    def split(t):
        return t.unflatten(2, (heads, -1)).transpose(1, 2)

    mixed = F.scaled_dot_product_attention(split(x @ w_q), split(memory @ w_k), split(memory @ w_v), mask)
    return mixed.transpose(1, 2).flatten(2) @ w_o


# %% wrong="multi_head" name="asks its own tokens instead of the memory" of="splits inside the call"
# -     mixed = F.scaled_dot_product_attention(
# -         split(F.linear(x, w_q)), split(F.linear(memory, w_k)), split(F.linear(memory, w_v)), mask
# -     )
# +     mixed = F.scaled_dot_product_attention(split(F.linear(x, w_q)), split(F.linear(x, w_k)), split(F.linear(x, w_v)))

# %% wrong="multi_head" name="forgets the mask" of="splits inside the call"
# -         split(F.linear(x, w_q)), split(F.linear(memory, w_k)), split(F.linear(memory, w_v)), mask
# +         split(F.linear(x, w_q)), split(F.linear(memory, w_k)), split(F.linear(memory, w_v))


# %% right="multi_head" name="one head after the other, each with its slice of the output weight"
def multi_head(x, memory, w_q, w_k, w_v, w_o, heads, mask=None):
    size = x.shape[2] // heads
    total = torch.zeros_like(x)
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        q, k, v = x @ w_q[own].T, memory @ w_k[own].T, memory @ w_v[own].T
        scores = q @ k.mT * size**-0.5
        if mask is not None:
            seen = mask[:, min(head, mask.shape[1] - 1)] if mask.ndim == 4 else mask
            scores = scores + seen if seen.is_floating_point() else scores.masked_fill(~seen, -torch.inf)
        total = total + scores.softmax(-1) @ v @ w_o[:, own].T
    return total


# %% right="ffn_gelu" name="the slope in one line"
def gelu(x):
    below = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    return x * below, below + x * torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def feed_forward(x, w_1, b_1, w_2, b_2):
    return F.linear(gelu(F.linear(x, w_1, b_1))[0], w_2, b_2)


# %% wrong="ffn_gelu" name="calls the library"
def gelu(x):
    inputs = x.detach().clone().requires_grad_()
    values = F.gelu(inputs)
    return values.detach(), torch.autograd.grad(values.sum(), inputs)[0]


def feed_forward(x, w_1, b_1, w_2, b_2):
    return F.linear(F.gelu(F.linear(x, w_1, b_1)), w_2, b_2)


# %% wrong="ffn_gelu" name="the tanh approximation" of="the slope in one line"
# -     below = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
# +     inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
# +     below = 0.5 * (1 + inner.tanh())

# %% wrong="ffn_gelu" name="forgets to divide by sqrt(2)" of="the slope in one line"
# -     below = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
# +     below = 0.5 * (1 + torch.erf(x))

# %% wrong="ffn_gelu" name="takes Phi for the slope" of="the slope in one line"
# -     return x * below, below + x * torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
# +     return x * below, below

# %% wrong="ffn_gelu" name="adds the density without the factor x" of="the slope in one line"
# -     return x * below, below + x * torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
# +     return x * below, below + torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)

# %% wrong="ffn_gelu" name="GELU after both layers" of="the slope in one line"
# -     return F.linear(gelu(F.linear(x, w_1, b_1))[0], w_2, b_2)
# +     return gelu(F.linear(gelu(F.linear(x, w_1, b_1))[0], w_2, b_2))[0]

# %% wrong="ffn_gelu" name="forgets the biases" of="the slope in one line"
# -     return F.linear(gelu(F.linear(x, w_1, b_1))[0], w_2, b_2)
# +     return F.linear(gelu(F.linear(x, w_1))[0], w_2)


# %% right="ffn_gelu" name="the normal distribution of torch"
def gelu(x):
    normal = torch.distributions.Normal(0.0, 1.0)
    return x * normal.cdf(x), normal.cdf(x) + x * normal.log_prob(x).exp()


def feed_forward(x, w_1, b_1, w_2, b_2):
    hidden = x @ w_1.T + b_1
    return gelu(hidden)[0] @ w_2.T + b_2


# %% right="layer_norm" name="asks torch for the variance"
def layer_norm(x, weight, bias, eps=1e-5):
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt() * weight + bias


def rms_norm(x, weight, eps=1e-6):
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight


# %% wrong="layer_norm" name="calls the library" of="asks torch for the variance"
# -     return (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt() * weight + bias
# +     return F.layer_norm(x, x.shape[-1:], weight, bias, eps)

# %% wrong="layer_norm" name="divides by d - 1" of="asks torch for the variance"
# -     return (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt() * weight + bias
# +     return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + eps).sqrt() * weight + bias

# %% wrong="layer_norm" name="adds eps to the standard deviation" of="asks torch for the variance"
# -     return (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt() * weight + bias
# +     return (x - x.mean(-1, keepdim=True)) / (x.std(-1, correction=0, keepdim=True) + eps) * weight + bias

# %% wrong="layer_norm" name="normalises over the batch, as batch normalisation does" of="asks torch for the variance"
# -     return (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt() * weight + bias
# +     axes = tuple(range(x.ndim - 1)) or (0,)
# +     return (x - x.mean(axes, keepdim=True)) / (x.var(axes, correction=0, keepdim=True) + eps).sqrt() * weight + bias


# %% wrong="layer_norm" name="one mean and variance for all tokens"
def layer_norm(x, weight, bias, eps=1e-5):
    return (x - x.mean()) / (x.var(correction=0) + eps).sqrt() * weight + bias


def rms_norm(x, weight, eps=1e-6):
    return x / (x.square().mean() + eps).sqrt() * weight


# %% wrong="layer_norm" name="RMSNorm that subtracts the mean" of="asks torch for the variance"
# -     return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight
# +     return (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt() * weight

# %% wrong="layer_norm" name="divides by the norm, not by the root mean square" of="asks torch for the variance"
# -     return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight
# +     return x / (x.norm(dim=-1, keepdim=True) + eps) * weight

# %% wrong="layer_norm" name="adds the bias before the weight" of="asks torch for the variance"
# -     return (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt() * weight + bias
# +     return ((x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt() + bias) * weight


# %% right="layer_norm" name="reciprocal roots and the mean of squares"
def layer_norm(x, weight, bias, eps=1e-5):
    width = x.shape[-1]
    mean = (x.sum(-1) / width)[..., None]
    variance = ((x - mean) ** 2).sum(-1)[..., None] / width
    return torch.addcmul(bias, (x - mean) * torch.rsqrt(variance + eps), weight)


def rms_norm(x, weight, eps=1e-6):
    return x * weight * torch.rsqrt((x * x).sum(-1, keepdim=True) / x.shape[-1] + eps)


# %% wrong="norm_placement" name="always pre-norm"
# -         if self.pre_norm:
# -             y = self.norm_1(x)
# -             x = x + self.attention(y, y, y, mask)
# -             return x + self.feed(self.norm_2(x))
# -         x = self.norm_1(x + self.attention(x, x, x, mask))
# -         return self.norm_2(x + self.feed(x))
# +         y = self.norm_1(x)
# +         x = x + self.attention(y, y, y, mask)
# +         return x + self.feed(self.norm_2(x))

# %% wrong="norm_placement" name="pre-norm normalises the shortcut too"
# -             y = self.norm_1(x)
# -             x = x + self.attention(y, y, y, mask)
# -             return x + self.feed(self.norm_2(x))
# +             x = self.norm_1(x)
# +             x = x + self.attention(x, x, x, mask)
# +             x = self.norm_2(x)
# +             return x + self.feed(x)

# %% wrong="norm_placement" name="normalises the queries alone"
# -             y = self.norm_1(x)
# -             x = x + self.attention(y, y, y, mask)
# +             x = x + self.attention(self.norm_1(x), x, x, mask)

# %% wrong="norm_placement" name="forgets the second shortcut"
# -             return x + self.feed(self.norm_2(x))
# +             return self.feed(self.norm_2(x))
#           x = self.norm_1(x + self.attention(x, x, x, mask))
# -         return self.norm_2(x + self.feed(x))
# +         return self.norm_2(self.feed(x))

# %% wrong="norm_placement" name="forgets the mask"
# -             x = x + self.attention(y, y, y, mask)
# +             x = x + self.attention(y, y, y)
#               return x + self.feed(self.norm_2(x))
# -         x = self.norm_1(x + self.attention(x, x, x, mask))
# +         x = self.norm_1(x + self.attention(x, x, x))

# %% wrong="norm_placement" name="post-norm inside the shortcut"
# -         x = self.norm_1(x + self.attention(x, x, x, mask))
# -         return self.norm_2(x + self.feed(x))
# +         x = x + self.norm_1(self.attention(x, x, x, mask))
# +         return x + self.norm_2(self.feed(x))


# %% right="norm_placement" name="one function for both parts"
class Block(nn.Module):
    def __init__(self, width, heads, hidden, pre_norm):
        super().__init__()
        self.pre_norm = pre_norm
        self.attention = models.TorchAttention(width, heads)
        self.feed = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x, mask=None):
        def see(tokens):
            return self.attention(tokens, tokens, tokens, mask)

        for norm, part in ((self.norm_1, see), (self.norm_2, self.feed)):
            x = x + part(norm(x)) if self.pre_norm else norm(x + part(x))
        return x


# %% right="family_masks" name="goes by what is given"
def family_masks(family, source=None, target=None):
    masks = {}
    if source is not None:
        masks["source"] = source[:, None].repeat(1, source.shape[1], 1)
    if target is not None:
        length = target.shape[1]
        masks["target"] = torch.ones(length, length).tril().bool() & target[:, None]
    if len(masks) == 2:
        masks["cross"] = source[:, None].repeat(1, target.shape[1], 1)
    return masks


# %% wrong="family_masks" name="True where a token is hidden"
def family_masks(family, source=None, target=None):
    masks = {}
    if source is not None:
        masks["source"] = ~source[:, None].repeat(1, source.shape[1], 1)
    if target is not None:
        length = target.shape[1]
        masks["target"] = ~(torch.ones(length, length).tril().bool() & target[:, None])
    if len(masks) == 2:
        masks["cross"] = ~source[:, None].repeat(1, target.shape[1], 1)
    return masks


# %% wrong="family_masks" name="the decoder sees what comes later" of="goes by what is given"
# -         masks["target"] = torch.ones(length, length).tril().bool() & target[:, None]
# +         masks["target"] = torch.ones(length, length).triu().bool() & target[:, None]

# %% wrong="family_masks" name="a token does not see itself" of="goes by what is given"
# -         masks["target"] = torch.ones(length, length).tril().bool() & target[:, None]
# +         masks["target"] = torch.ones(length, length).tril(-1).bool() & target[:, None]

# %% wrong="family_masks" name="forgets padding in the decoder" of="goes by what is given"
# -         masks["target"] = torch.ones(length, length).tril().bool() & target[:, None]
# +         masks["target"] = torch.ones(length, length).tril().bool().repeat(len(target), 1, 1)


# %% wrong="family_masks" name="padding sees nothing, but is seen"
def family_masks(family, source=None, target=None):
    masks = {}
    if source is not None:
        masks["source"] = source[:, :, None].repeat(1, 1, source.shape[1])
    if target is not None:
        length = target.shape[1]
        masks["target"] = torch.ones(length, length).tril().bool() & target[:, :, None]
    if len(masks) == 2:
        masks["cross"] = target[:, :, None].repeat(1, 1, source.shape[1])
    return masks


# %% wrong="family_masks" name="causal cross-attention" of="goes by what is given"
# -         masks["cross"] = source[:, None].repeat(1, target.shape[1], 1)
# +         masks["cross"] = torch.ones(target.shape[1], source.shape[1]).tril().bool() & source[:, None]

# %% wrong="family_masks" name="a causal encoder" of="goes by what is given"
# -         masks["source"] = source[:, None].repeat(1, source.shape[1], 1)
# +         length = source.shape[1]
# +         masks["source"] = torch.ones(length, length).tril().bool() & source[:, None]


# %% right="family_masks" name="loops, pair by pair"
def family_masks(family, source=None, target=None):
    def table(rows, seen, causal):
        mask = torch.zeros(len(seen), rows, seen.shape[1], dtype=torch.bool)
        for n in range(len(seen)):
            for i in range(rows):
                for j in range(seen.shape[1]):
                    mask[n, i, j] = bool(seen[n, j]) and (j <= i or not causal)
        return mask

    if family == "encoder":
        return {"source": table(source.shape[1], source, False)}
    own = {"target": table(target.shape[1], target, True)}
    if family == "decoder":
        return own
    return own | {
        "source": table(source.shape[1], source, False),
        "cross": table(target.shape[1], source, False),
    }


# %% right="family_objectives" name="torch.where, and a start token in front"
def training_pair(family, tokens, hidden=None, split=None):
    if family == "encoder":
        return (torch.where(hidden, 256, tokens),), torch.where(hidden, tokens, -100)
    if family == "decoder":
        return (tokens[:, :-1],), tokens[:, 1:]
    source, target = tokens[:, :split], tokens[:, split:]
    start = torch.full_like(target[:, :1], 256)
    return (source, torch.cat([start, target[:, :-1]], 1)), target


# %% wrong="family_objectives" name="the decoder predicts what it reads" of="torch.where, and a start token in front"
# -         return (tokens[:, :-1],), tokens[:, 1:]
# +         return (tokens,), tokens

# %% wrong="family_objectives" name="the decoder predicts the token before" of="torch.where, and a start token in front"
# -         return (tokens[:, :-1],), tokens[:, 1:]
# +         return (tokens[:, 1:],), tokens[:, :-1]

# %% wrong="family_objectives" name="the encoder reads what it must fill in" of="torch.where, and a start token in front"
# -         return (torch.where(hidden, 256, tokens),), torch.where(hidden, tokens, -100)
# +         return (tokens,), torch.where(hidden, tokens, -100)

# %% wrong="family_objectives" name="the encoder is asked for every token" of="torch.where, and a start token in front"
# -         return (torch.where(hidden, 256, tokens),), torch.where(hidden, tokens, -100)
# +         return (torch.where(hidden, 256, tokens),), tokens

# %% wrong="family_objectives" name="the encoder is asked for what it sees" of="torch.where, and a start token in front"
# -         return (torch.where(hidden, 256, tokens),), torch.where(hidden, tokens, -100)
# +         return (torch.where(hidden, 256, tokens),), torch.where(hidden, -100, tokens)

# %% wrong="family_objectives" name="the decoder with a source reads its own targets" of="torch.where, and a start token in front"
# -     source, target = tokens[:, :split], tokens[:, split:]
# -     start = torch.full_like(target[:, :1], 256)
# -     return (source, torch.cat([start, target[:, :-1]], 1)), target
# +     return (tokens[:, :split], tokens[:, split:]), tokens[:, split:]

# %% wrong="family_objectives" name="no token starts the target" of="torch.where, and a start token in front"
# -     source, target = tokens[:, :split], tokens[:, split:]
# -     start = torch.full_like(target[:, :1], 256)
# -     return (source, torch.cat([start, target[:, :-1]], 1)), target
# +     return (tokens[:, :split], tokens[:, split:-1]), tokens[:, split + 1 :]

# %% wrong="family_objectives" name="hides the tokens in place" of="torch.where, and a start token in front"
# -         return (torch.where(hidden, 256, tokens),), torch.where(hidden, tokens, -100)
# +         targets = torch.where(hidden, tokens, -100)
# +         tokens[hidden] = 256
# +         return (tokens,), targets


# %% right="family_objectives" name="copies that are written into"
def training_pair(family, tokens, hidden=None, split=None):
    if family == "encoder":
        inputs, targets = tokens.clone(), torch.full_like(tokens, -100)
        inputs[hidden] = 256
        targets[hidden] = tokens[hidden]
        return (inputs,), targets
    first = 0 if family == "decoder" else split
    shifted = tokens.roll(1, dims=1)
    if family == "decoder":
        return (shifted[:, 1:],), tokens[:, 1:]
    shifted[:, first] = 256
    return (tokens[:, :first].clone(), shifted[:, first:]), tokens[:, first:].clone()


# %% right="vit_patches" name="cuts and permutes in one line"
def picture_tokens(images, weight, bias, class_token, positions, patch):
    n, c, h, w = images.shape
    cut = images.reshape(n, c, h // patch, patch, w // patch, patch).permute(0, 2, 4, 1, 3, 5)
    tokens = F.linear(cut.reshape(n, -1, c * patch * patch), weight, bias)
    return torch.cat([class_token.expand(n, 1, -1), tokens], 1) + positions


# %% wrong="vit_patches" name="reshapes without exchanging axes"
def picture_tokens(images, weight, bias, class_token, positions, patch):
    patches = images.reshape(len(images), -1, images.shape[1] * patch * patch)
    tokens = F.linear(patches, weight, bias)
    return torch.cat([class_token.expand(len(images), 1, -1), tokens], 1) + positions


# %% wrong="vit_patches" name="channels last within a patch" of="cuts and permutes in one line"
# -     cut = images.reshape(n, c, h // patch, patch, w // patch, patch).permute(0, 2, 4, 1, 3, 5)
# +     cut = images.reshape(n, c, h // patch, patch, w // patch, patch).permute(0, 2, 4, 3, 5, 1)

# %% wrong="vit_patches" name="patches column by column" of="cuts and permutes in one line"
# -     cut = images.reshape(n, c, h // patch, patch, w // patch, patch).permute(0, 2, 4, 1, 3, 5)
# +     cut = images.reshape(n, c, h // patch, patch, w // patch, patch).permute(0, 4, 2, 1, 3, 5)

# %% wrong="vit_patches" name="the class token stands last" of="cuts and permutes in one line"
# -     return torch.cat([class_token.expand(n, 1, -1), tokens], 1) + positions
# +     return torch.cat([tokens, class_token.expand(n, 1, -1)], 1) + positions


# %% wrong="vit_patches" name="no position for the class token"
def picture_tokens(images, weight, bias, class_token, positions, patch):
    n, c, h, w = images.shape
    cut = images.reshape(n, c, h // patch, patch, w // patch, patch).permute(0, 2, 4, 1, 3, 5)
    tokens = F.linear(cut.reshape(n, -1, c * patch * patch), weight, bias) + positions[1:]
    return torch.cat([class_token.expand(n, 1, -1), tokens], 1)


# %% wrong="vit_patches" name="forgets the bias" of="cuts and permutes in one line"
# -     tokens = F.linear(cut.reshape(n, -1, c * patch * patch), weight, bias)
# +     tokens = F.linear(cut.reshape(n, -1, c * patch * patch), weight)


# %% wrong="vit_patches" name="calls the library"
def picture_tokens(images, weight, bias, class_token, positions, patch):
    kernels = weight.reshape(len(weight), images.shape[1], patch, patch)
    tokens = F.conv2d(images, kernels, bias, stride=patch).flatten(2).mT
    return torch.cat([class_token.expand(len(images), 1, -1), tokens], 1) + positions


# %% right="vit_patches" name="views of windows and einsum"
def picture_tokens(images, weight, bias, class_token, positions, patch):
    cut = images.unfold(2, patch, patch).unfold(3, patch, patch)
    kernels = weight.reshape(len(weight), images.shape[1], patch, patch)
    tokens = torch.einsum("nchwuv,dcuv->nhwd", cut, kernels).flatten(1, 2) + bias
    out = positions.repeat(len(images), 1, 1)
    out[:, 0] += class_token
    out[:, 1:] += tokens
    return out


# %% right="window_attention" name="rolls and cuts in one line"
def to_windows(x, window, shift=0):
    n, h, w, c = x.shape
    x = x.roll((-shift, -shift), (1, 2)).reshape(n, h // window, window, w // window, window, c)
    return x.transpose(2, 3).reshape(n, -1, window * window, c)


def from_windows(windowed, height, width, shift=0):
    n, _, size, c = windowed.shape
    m = math.isqrt(size)
    x = windowed.reshape(n, height // m, width // m, m, m, c).transpose(2, 3).reshape(n, height, width, c)
    return x.roll((shift, shift), (1, 2))


# %% wrong="window_attention" name="reshapes without exchanging axes"
def to_windows(x, window, shift=0):
    n, _, _, c = x.shape
    return x.roll((-shift, -shift), (1, 2)).reshape(n, -1, window * window, c)


def from_windows(windowed, height, width, shift=0):
    return windowed.reshape(len(windowed), height, width, -1).roll((shift, shift), (1, 2))


# %% wrong="window_attention" name="rolls the other way" of="rolls and cuts in one line"
# -     x = x.roll((-shift, -shift), (1, 2)).reshape(n, h // window, window, w // window, window, c)
# +     x = x.roll((shift, shift), (1, 2)).reshape(n, h // window, window, w // window, window, c)

# -     return x.roll((shift, shift), (1, 2))
# +     return x.roll((-shift, -shift), (1, 2))

# %% wrong="window_attention" name="does not roll back" of="rolls and cuts in one line"
# -     x = windowed.reshape(n, height // m, width // m, m, m, c).transpose(2, 3).reshape(n, height, width, c)
# -     return x.roll((shift, shift), (1, 2))
# +     return windowed.reshape(n, height // m, width // m, m, m, c).transpose(2, 3).reshape(n, height, width, c)

# %% wrong="window_attention" name="joins without exchanging axes" of="rolls and cuts in one line"
# -     n, _, size, c = windowed.shape
# -     m = math.isqrt(size)
# -     x = windowed.reshape(n, height // m, width // m, m, m, c).transpose(2, 3).reshape(n, height, width, c)
# -     return x.roll((shift, shift), (1, 2))
# +     return windowed.reshape(len(windowed), height, width, -1).roll((shift, shift), (1, 2))

# %% wrong="window_attention" name="shifts the rows only" of="rolls and cuts in one line"
# -     x = x.roll((-shift, -shift), (1, 2)).reshape(n, h // window, window, w // window, window, c)
# +     x = x.roll(-shift, 1).reshape(n, h // window, window, w // window, window, c)

# -     return x.roll((shift, shift), (1, 2))
# +     return x.roll(shift, 1)


# %% wrong="window_attention" name="spreads a window over the map"
def to_windows(x, window, shift=0):
    n, h, w, c = x.shape
    x = x.roll((-shift, -shift), (1, 2)).reshape(n, window, h // window, window, w // window, c)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(n, -1, window * window, c)


def from_windows(windowed, height, width, shift=0):
    n, _, size, c = windowed.shape
    m = math.isqrt(size)
    x = windowed.reshape(n, height // m, width // m, m, m, c).permute(0, 3, 1, 4, 2, 5)
    return x.reshape(n, height, width, c).roll((shift, shift), (1, 2))


# %% right="window_attention" name="window by window"
def to_windows(x, window, shift=0):
    n, height, width, c = x.shape
    rows, columns = (torch.arange(size).roll(-shift) for size in (height, width))
    cut = []
    for top in range(0, height, window):
        for left in range(0, width, window):
            square = x[:, rows[top : top + window]][:, :, columns[left : left + window]]
            cut.append(square.reshape(n, -1, c))
    return torch.stack(cut, dim=1)


def from_windows(windowed, height, width, shift=0):
    n, _, size, c = windowed.shape
    window = math.isqrt(size)
    out = windowed.new_zeros(n, height, width, c)
    places = [(t, s) for t in range(0, height, window) for s in range(0, width, window)]
    for number, (top, left) in enumerate(places):
        for token in range(size):
            row, column = (top + token // window + shift) % height, (left + token % window + shift) % width
            out[:, row, column] = windowed[:, number, token]
    return out


# %% right="shifted_windows" name="both axes in one line"
def shifted_window_mask(height, width, window, shift):
    down, right = (torch.arange(size) >= size - shift for size in (height, width))
    piece = 2 * down[:, None] + right.long()[None]
    piece = piece.reshape(height // window, window, width // window, window).transpose(1, 2).reshape(-1, window**2)
    return piece[:, :, None] == piece[:, None]


# %% wrong="shifted_windows" name="no mask at all"
def shifted_window_mask(height, width, window, shift):
    return torch.ones(height * width // window**2, window**2, window**2, dtype=torch.bool)


# %% wrong="shifted_windows" name="looks at rows only" of="both axes in one line"
# -     down, right = (torch.arange(size) >= size - shift for size in (height, width))
# -     piece = 2 * down[:, None] + right.long()[None]
# +     piece = (torch.arange(height) >= height - shift)[:, None].expand(height, width)

# %% wrong="shifted_windows" name="two kinds of tokens instead of four" of="both axes in one line"
# -     piece = 2 * down[:, None] + right.long()[None]
# +     piece = down[:, None] | right[None]

# %% wrong="shifted_windows" name="the first rows and columns have come round" of="both axes in one line"
# -     down, right = (torch.arange(size) >= size - shift for size in (height, width))
# +     down, right = (torch.arange(size) < shift for size in (height, width))

# %% wrong="shifted_windows" name="cuts at window - shift" of="both axes in one line"
# -     down, right = (torch.arange(size) >= size - shift for size in (height, width))
# +     down, right = (torch.arange(size) >= size - window + shift for size in (height, width))

# %% wrong="shifted_windows" name="True where a token is hidden" of="both axes in one line"
# -     return piece[:, :, None] == piece[:, None]
# +     return piece[:, :, None] != piece[:, None]


# %% right="shifted_windows" name="original places that are less than a window apart"
def shifted_window_mask(height, width, window, shift):
    rows = torch.arange(height).roll(-shift)
    columns = torch.arange(width).roll(-shift)
    windows = []
    for top in range(0, height, window):
        for left in range(0, width, window):
            row = rows[top : top + window].repeat_interleave(window)
            column = columns[left : left + window].repeat(window)
            near = [(place[:, None] - place[None]).abs() < window for place in (row, column)]
            windows.append(near[0] & near[1])
    return torch.stack(windows)


# %% wrong="linear_attention" name="makes all pairs"
def linear_attention(q, k, v):
    scores = q.relu() @ k.relu().mT
    return scores @ v / (scores.sum(-1, keepdim=True) + 1e-15)


# %% wrong="linear_attention" name="forgets the denominator"
def linear_attention(q, k, v):
    return q.relu() @ (k.relu().mT @ v)


# %% wrong="linear_attention" name="divides by the number of keys"
def linear_attention(q, k, v):
    return q.relu() @ (k.relu().mT @ v) / k.shape[-2]


# %% wrong="linear_attention" name="forgets the ReLU of the keys"
# -     q, k = q.relu(), k.relu()
# +     q = q.relu()

# %% wrong="linear_attention" name="ReLU on the values too"
# -     q, k = q.relu(), k.relu()
# +     q, k, v = q.relu(), k.relu(), v.relu()


# %% wrong="linear_attention" name="nothing added to the denominator"
def linear_attention(q, k, v):
    q, k = q.relu(), k.relu()
    return q @ (k.mT @ v) / (q @ k.sum(-2, keepdim=True).mT)


# %% wrong="linear_attention" name="ReLU in place"
# -     q, k = q.relu(), k.relu()
# +     q, k = q.relu_(), k.relu_()


# %% right="linear_attention" name="a column of ones carries the denominator along"
def linear_attention(q, k, v):
    wide = F.pad(v, (0, 1), value=1.0)
    sums = torch.einsum("...id,...de->...ie", F.relu(q), torch.einsum("...jd,...je->...de", F.relu(k), wide))
    return sums[..., :-1] / (sums[..., -1:] + 1e-15)
