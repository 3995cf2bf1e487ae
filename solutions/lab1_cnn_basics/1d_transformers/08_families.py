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
