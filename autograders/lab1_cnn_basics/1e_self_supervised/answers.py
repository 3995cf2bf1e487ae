# %% [markdown]
# Wrong answers that the visible checks must catch, and other right answers that they must accept.


# %% wrong="knn_predict" name="does not normalise"
def knn_predict(bank, labels, queries, classes, k, temperature):
    nearest, index = (queries @ bank.T).topk(k, dim=1)
    weight = ((nearest - nearest[:, :1]) / temperature).exp()
    return torch.zeros(len(queries), classes).scatter_add(1, labels[index], weight).argmax(1)


# %% wrong="knn_predict" name="plain majority"
def knn_predict(bank, labels, queries, classes, k, temperature):
    similarity = F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T
    index = similarity.topk(k, dim=1).indices
    votes = F.one_hot(labels[index], classes).sum(1)
    return votes.argmax(1)


# %% wrong="knn_predict" name="takes the least similar"
def knn_predict(bank, labels, queries, classes, k, temperature):
    similarity = F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T
    nearest, index = similarity.topk(k, dim=1, largest=False)
    weight = ((nearest - nearest.amax(1, keepdim=True)) / temperature).exp()
    return torch.zeros(len(queries), classes).scatter_add(1, labels[index], weight).argmax(1)


# %% wrong="knn_predict" name="ignores the temperature"
def knn_predict(bank, labels, queries, classes, k, temperature):
    nearest, index = (F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T).topk(k, dim=1)
    return torch.zeros(len(queries), classes).scatter_add(1, labels[index], nearest.exp()).argmax(1)


# %% wrong="knn_predict" name="multiplies by the temperature"
def knn_predict(bank, labels, queries, classes, k, temperature):
    nearest, index = (F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T).topk(k, dim=1)
    return torch.zeros(len(queries), classes).scatter_add(1, labels[index], (nearest * temperature).exp()).argmax(1)


# %% wrong="knn_predict" name="returns places in the bank"
def knn_predict(bank, labels, queries, classes, k, temperature):
    nearest, index = (F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T).topk(k, dim=1)
    weight = ((nearest - nearest[:, :1]) / temperature).exp()
    score = torch.zeros(len(queries), classes).scatter_add(1, labels[index], weight)
    winner = score.argmax(1)
    return torch.stack([index[m][labels[index[m]] == winner[m]][0] for m in range(len(queries))])


# %% wrong="knn_predict" name="only the nearest counts"
def knn_predict(bank, labels, queries, classes, k, temperature):
    return labels[(F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T).argmax(1)]


# %% wrong="knn_predict" name="overflows at small temperatures"
def knn_predict(bank, labels, queries, classes, k, temperature):
    nearest, index = (F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T).topk(k, dim=1)
    return torch.zeros(len(queries), classes).scatter_add(1, labels[index], (nearest / temperature).exp()).argmax(1)


# %% wrong="knn_predict" name="all vote, not k"
def knn_predict(bank, labels, queries, classes, k, temperature):
    similarity = F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T
    return ((similarity / temperature).softmax(1) @ F.one_hot(labels, classes).float()).argmax(1)


# %% right="knn_predict" name="query by query, class by class"
def knn_predict(bank, labels, queries, classes, k, temperature):
    answers = []
    for query in queries:
        similarity = F.cosine_similarity(bank, query[None], dim=1)
        index = similarity.argsort(descending=True)[:k]
        weight = (similarity[index] / temperature).softmax(0)
        answers.append(max(range(classes), key=lambda c: float(weight[labels[index] == c].sum())))
    return torch.tensor(answers)


# %% right="knn_predict" name="one-hot labels and a product"
def knn_predict(bank, labels, queries, classes, k, temperature):
    similarity = (queries / queries.norm(dim=1, keepdim=True)) @ (bank / bank.norm(dim=1, keepdim=True)).T
    kth = similarity.sort(dim=1, descending=True).values[:, k - 1 : k]
    weight = (similarity / temperature).masked_fill(similarity < kth, -torch.inf).softmax(1)
    return (weight @ torch.eye(classes)[labels]).argmax(1)


# %% wrong="info_nce" name="does not normalise"
def info_nce(queries, keys, temperature):
    return F.cross_entropy(queries @ keys.T / temperature, torch.arange(len(queries)))


# %% wrong="info_nce" name="multiplies by the temperature"
# -     logits = F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T / temperature
# +     logits = F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T * temperature

# %% wrong="info_nce" name="adds up instead of averaging"
# -     return F.cross_entropy(logits, torch.arange(len(queries), device=logits.device))
# +     return F.cross_entropy(logits, torch.arange(len(queries)), reduction="sum")

# %% wrong="info_nce" name="lets the keys choose among the queries"
# -     logits = F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T / temperature
# +     logits = F.normalize(keys, dim=1)[: len(queries)] @ F.normalize(queries, dim=1).T / temperature

# %% wrong="info_nce" name="ignores the further keys"
# -     logits = F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T / temperature
# +     logits = F.normalize(queries, dim=1) @ F.normalize(keys[: len(queries)], dim=1).T / temperature


# %% wrong="info_nce" name="leaves the positive out of the denominator"
def info_nce(queries, keys, temperature):
    logits = F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T / temperature
    n = len(queries)
    negatives = logits.clone()
    negatives[range(n), range(n)] = -torch.inf
    return (negatives.logsumexp(1) - logits[range(n), range(n)]).mean()


# %% wrong="info_nce" name="scales the columns to length 1"
# -     logits = F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T / temperature
# +     logits = F.normalize(queries, dim=0) @ F.normalize(keys, dim=0).T / temperature


# %% wrong="info_nce" name="overflows at small temperatures"
def info_nce(queries, keys, temperature):
    e = torch.exp(F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T / temperature)
    n = len(queries)
    return -(e[range(n), range(n)] / e.sum(1)).log().mean()


# %% wrong="info_nce" name="softmax before cross-entropy"
# -     return F.cross_entropy(logits, torch.arange(len(queries), device=logits.device))
# +     return F.cross_entropy(logits.softmax(1), torch.arange(len(queries)))

# %% wrong="info_nce" name="takes the most similar key for the positive"
# -     return F.cross_entropy(logits, torch.arange(len(queries), device=logits.device))
# +     return (logits.logsumexp(1) - logits.amax(1)).mean()

# %% wrong="info_nce" name="cuts the gradient"
# -     return F.cross_entropy(logits, torch.arange(len(queries), device=logits.device))
# +     return torch.tensor(F.cross_entropy(logits, torch.arange(len(queries))).item())


# %% right="info_nce" name="logsumexp minus the positive's logit"
def info_nce(queries, keys, temperature):
    queries = queries / queries.norm(dim=1, keepdim=True)
    keys = keys / keys.norm(dim=1, keepdim=True)
    positive = (queries * keys[: len(queries)]).sum(1) / temperature
    return (torch.logsumexp(queries @ keys.T / temperature, dim=1) - positive).mean()


# %% right="info_nce" name="query by query with log-softmax"
def info_nce(queries, keys, temperature):
    total = queries.new_zeros(())
    for i, query in enumerate(queries):
        logits = F.cosine_similarity(keys, query[None], dim=1) / temperature
        total = total - logits.log_softmax(0)[i]
    return total / len(queries)


# %% right="nt_xent" name="the mask in one line"
def nt_xent(first, second, temperature):
    z = F.normalize(torch.cat([first, second]), dim=1)
    n = len(first)
    logits = (z @ z.T / temperature).masked_fill(torch.eye(2 * n, dtype=torch.bool), -torch.inf)
    return F.cross_entropy(logits, torch.arange(2 * n).roll(n))


# %% wrong="nt_xent" name="compares a view with itself" of="the mask in one line"
# -     logits = (z @ z.T / temperature).masked_fill(torch.eye(2 * n, dtype=torch.bool), -torch.inf)
# -     return F.cross_entropy(logits, torch.arange(2 * n).roll(n))
# +     return F.cross_entropy(z @ z.T / temperature, torch.arange(2 * n).roll(n))

# %% wrong="nt_xent" name="sets the self-similarity to 0" of="the mask in one line"
# -     logits = (z @ z.T / temperature).masked_fill(torch.eye(2 * n, dtype=torch.bool), -torch.inf)
# +     logits = (z @ z.T / temperature) * (1 - torch.eye(2 * n))


# %% wrong="nt_xent" name="two directions of InfoNCE, without negatives of the same kind"
def nt_xent(first, second, temperature):
    logits = F.normalize(first, dim=1) @ F.normalize(second, dim=1).T / temperature
    target = torch.arange(len(first))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


# %% wrong="nt_xent" name="only the first views ask" of="the mask in one line"
# -     return F.cross_entropy(logits, torch.arange(2 * n).roll(n))
# +     return F.cross_entropy(logits[:n], torch.arange(n, 2 * n))


# %% wrong="nt_xent" name="partner of a is its neighbour, as if views were interleaved"
def nt_xent(first, second, temperature):
    z = F.normalize(torch.cat([first, second]), dim=1)
    m = len(z)
    logits = (z @ z.T / temperature).masked_fill(torch.eye(m, dtype=torch.bool), -torch.inf)
    return F.cross_entropy(logits, torch.arange(m) ^ 1)


# %% wrong="nt_xent" name="adds up and divides by N" of="the mask in one line"
# -     return F.cross_entropy(logits, torch.arange(2 * n).roll(n))
# +     return F.cross_entropy(logits, torch.arange(2 * n).roll(n), reduction="sum") / n

# %% wrong="nt_xent" name="does not normalise" of="the mask in one line"
# -     z = F.normalize(torch.cat([first, second]), dim=1)
# +     z = torch.cat([first, second])


# %% wrong="nt_xent" name="overflows at small temperatures"
def nt_xent(first, second, temperature):
    z = F.normalize(torch.cat([first, second]), dim=1)
    n = len(first)
    e = torch.exp(z @ z.T / temperature) * (1 - torch.eye(2 * n))
    return -(e[torch.arange(2 * n), torch.arange(2 * n).roll(n)] / e.sum(1)).log().mean()


# %% right="nt_xent" name="drops the diagonal and counts places"
def nt_xent(first, second, temperature):
    n = len(first)
    z = torch.cat([first, second])
    z = z / z.norm(dim=1, keepdim=True)
    others = ~torch.eye(2 * n, dtype=torch.bool)
    logits = (z @ z.T)[others].reshape(2 * n, 2 * n - 1) / temperature
    target = torch.cat([torch.arange(n - 1, 2 * n - 1), torch.arange(n)])
    return F.cross_entropy(logits, target)


# %% right="nt_xent" name="four blocks"
def nt_xent(first, second, temperature):
    a, b = F.normalize(first, dim=1), F.normalize(second, dim=1)
    n = len(a)
    hole = torch.zeros(n, n).fill_diagonal_(-torch.inf)
    across = a @ b.T / temperature
    rows = torch.cat([across, a @ a.T / temperature + hole], dim=1)
    columns = torch.cat([across.T, b @ b.T / temperature + hole], dim=1)
    return (torch.logsumexp(torch.cat([rows, columns]), dim=1) - across.diagonal().repeat(2)).mean()


# %% wrong="random_masking" name="forgets to invert the order"
def random_masking(noise, keep):
    order = noise.argsort(dim=1)
    restore = noise.argsort(dim=1)
    return order[:, :keep], restore, order.argsort(dim=1) >= keep


# %% wrong="random_masking" name="mask in shuffled order"
def random_masking(noise, keep):
    order = noise.argsort(dim=1)
    hidden = torch.ones(noise.shape, dtype=torch.bool)
    hidden[:, :keep] = False
    return order[:, :keep], order.argsort(dim=1), hidden


# %% wrong="random_masking" name="True for kept tokens"
# -     return order[:, :keep], restore, restore >= keep
# +     return order[:, :keep], restore, restore < keep

# %% wrong="random_masking" name="keeps the largest numbers"
# -     order = noise.argsort(dim=1)
# +     order = noise.argsort(dim=1, descending=True)

# %% wrong="random_masking" name="one mask for all images"
# -     order = noise.argsort(dim=1)
# +     order = noise[:1].argsort(dim=1).expand(noise.shape)

# %% wrong="random_masking" name="keeps the tokens in the image's order"
# -     return order[:, :keep], restore, restore >= keep
# +     return order[:, :keep].sort(dim=1).values, restore, restore >= keep

# %% wrong="random_masking" name="hides one token too few"
# -     return order[:, :keep], restore, restore >= keep
# +     return order[:, :keep], restore, restore > keep

# %% wrong="random_masking" name="hides `keep` tokens"
#       """
# +     keep = noise.shape[1] - keep


# %% right="random_masking" name="counts smaller numbers"
def random_masking(noise, keep):
    restore = (noise[:, None, :] < noise[:, :, None]).sum(2)
    kept = torch.stack([(restore == place).long().argmax(1) for place in range(keep)], 1)
    return kept, restore, restore >= keep


# %% right="random_masking" name="scatters places"
def random_masking(noise, keep):
    n, t = noise.shape
    order = noise.sort(dim=1).indices
    restore = torch.empty_like(order).scatter_(1, order, torch.arange(t).expand(n, t))
    hidden = torch.ones(n, t, dtype=torch.bool).scatter(1, order[:, :keep], False)
    return order[:, :keep], restore, hidden


# %% wrong="restore_tokens" name="mask tokens in front"
# -     shuffled = torch.cat([encoded, hidden], dim=1)
# +     shuffled = torch.cat([hidden, encoded], dim=1)

# %% wrong="restore_tokens" name="shuffles again instead of undoing it"
# -     return shuffled.gather(1, restore[:, :, None].expand(-1, -1, d))
# +     return torch.empty(n, restore.shape[1], d).scatter(1, restore[:, :, None].expand(-1, -1, d), shuffled)


# %% wrong="restore_tokens" name="leaves the shuffled order"
def restore_tokens(encoded, mask_token, restore):
    n, k, d = encoded.shape
    return torch.cat([encoded, mask_token.expand(n, restore.shape[1] - k, d)], 1)


# %% wrong="restore_tokens" name="zeros for hidden patches"
# -     hidden = mask_token.expand(n, restore.shape[1] - k, d)
# +     hidden = torch.zeros(n, restore.shape[1] - k, d)

# %% wrong="restore_tokens" name="the first image's order for all"
# -     return shuffled.gather(1, restore[:, :, None].expand(-1, -1, d))
# +     return shuffled[:, restore[0]]

# %% wrong="restore_tokens" name="detaches the mask token"
# -     hidden = mask_token.expand(n, restore.shape[1] - k, d)
# +     hidden = mask_token.detach().expand(n, restore.shape[1] - k, d)

# %% wrong="restore_tokens" name="gathers the first number of each token only"
# -     return shuffled.gather(1, restore[:, :, None].expand(-1, -1, d))
# +     return shuffled.gather(1, restore[:, :, None]).expand(-1, -1, d)


# %% right="restore_tokens" name="index with rows"
def restore_tokens(encoded, mask_token, restore):
    n, k, d = encoded.shape
    shuffled = torch.cat([encoded, mask_token.repeat(n, restore.shape[1] - k, 1)], 1)
    return shuffled[torch.arange(n)[:, None], restore]


# %% right="restore_tokens" name="chooses for each patch"
def restore_tokens(encoded, mask_token, restore):
    k = encoded.shape[1]
    seen = torch.take_along_dim(encoded, restore.clamp(max=k - 1)[:, :, None], dim=1)
    return torch.where((restore < k)[:, :, None], seen, mask_token)


# %% right="masked_loss" name="normalises in one line"
def masked_loss(prediction, patches, hidden, normalise=False):
    if normalise:
        patches = (patches - patches.mean(2, keepdim=True)) / (patches.var(2, keepdim=True) + 1e-6).sqrt()
    return (prediction - patches).square().mean(2)[hidden].mean()


# %% wrong="masked_loss" name="counts every patch" of="normalises in one line"
# -     return (prediction - patches).square().mean(2)[hidden].mean()
# +     return (prediction - patches).square().mean()

# %% wrong="masked_loss" name="counts the visible patches" of="normalises in one line"
# -     return (prediction - patches).square().mean(2)[hidden].mean()
# +     return (prediction - patches).square().mean(2)[~hidden].mean()

# %% wrong="masked_loss" name="divides by all patches" of="normalises in one line"
# -     return (prediction - patches).square().mean(2)[hidden].mean()
# +     return ((prediction - patches).square().mean(2) * hidden).mean()

# %% wrong="masked_loss" name="adds up over a patch" of="normalises in one line"
# -     return (prediction - patches).square().mean(2)[hidden].mean()
# +     return (prediction - patches).square().sum(2)[hidden].mean()

# %% wrong="masked_loss" name="averages per image first" of="normalises in one line"
# -     return (prediction - patches).square().mean(2)[hidden].mean()
# +     error = (prediction - patches).square().mean(2) * hidden
# +     return (error.sum(1) / hidden.sum(1)).mean()


# %% wrong="masked_loss" name="ignores normalise"
def masked_loss(prediction, patches, hidden, normalise=False):
    return (prediction - patches).square().mean(2)[hidden].mean()


# %% wrong="masked_loss" name="normalises over the whole image" of="normalises in one line"
# -         patches = (patches - patches.mean(2, keepdim=True)) / (patches.var(2, keepdim=True) + 1e-6).sqrt()
# +         centred = patches - patches.mean((1, 2), keepdim=True)
# +         patches = centred / (patches.var((1, 2), keepdim=True) + 1e-6).sqrt()

# %% wrong="masked_loss" name="divides by P in the variance" of="normalises in one line"
# -         patches = (patches - patches.mean(2, keepdim=True)) / (patches.var(2, keepdim=True) + 1e-6).sqrt()
# +         variance = patches.var(2, keepdim=True, correction=0)
# +         patches = (patches - patches.mean(2, keepdim=True)) / (variance + 1e-6).sqrt()


# %% wrong="masked_loss" name="normalises the prediction too"
def masked_loss(prediction, patches, hidden, normalise=False):
    def scaled(x):
        return (x - x.mean(2, keepdim=True)) / (x.var(2, keepdim=True) + 1e-6).sqrt()

    if normalise:
        prediction, patches = scaled(prediction), scaled(patches)
    return (prediction - patches).square().mean(2)[hidden].mean()


# %% wrong="masked_loss" name="divides by zero for a flat patch" of="normalises in one line"
# -         patches = (patches - patches.mean(2, keepdim=True)) / (patches.var(2, keepdim=True) + 1e-6).sqrt()
# +         patches = (patches - patches.mean(2, keepdim=True)) / patches.std(2, keepdim=True)

# %% wrong="masked_loss" name="absolute error" of="normalises in one line"
# -     return (prediction - patches).square().mean(2)[hidden].mean()
# +     return (prediction - patches).abs().mean(2)[hidden].mean()


# %% right="masked_loss" name="takes the hidden patches first"
def masked_loss(prediction, patches, hidden, normalise=False):
    guess, truth = prediction[hidden], patches[hidden]
    if normalise:
        deviation = torch.sqrt(truth.var(1, keepdim=True) + 1e-6)
        truth = (truth - truth.mean(1, keepdim=True)) / deviation
    return F.mse_loss(guess, truth)


# %% right="masked_loss" name="weights by the mask"
def masked_loss(prediction, patches, hidden, normalise=False):
    count = patches.shape[2]
    if normalise:
        centred = patches - patches.sum(2, keepdim=True) / count
        patches = centred * (centred.square().sum(2, keepdim=True) / (count - 1) + 1e-6).rsqrt()
    weight = hidden.to(prediction.dtype)
    return ((prediction - patches).square().sum(2) * weight).sum() / (weight.sum() * count)
