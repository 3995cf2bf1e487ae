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
