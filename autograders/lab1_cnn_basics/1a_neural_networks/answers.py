# %% wrong="dense_layer" name="forgets the bias"
def dense(x, weight, bias):
    return x @ weight.T


# %% wrong="dense_layer" name="weight not transposed"
def dense(x, weight, bias):
    return x @ (weight if weight.shape[0] == x.shape[1] else weight.T) + bias


# %% wrong="dense_layer" name="bias added to rows instead of columns"
def dense(x, weight, bias):
    y = x @ weight.T
    return y + (bias[:, None] if len(bias) == len(y) else bias)


# %% wrong="dense_layer" name="clips negative outputs"
def dense(x, weight, bias):
    return (x @ weight.T + bias).clamp(min=0)


# %% wrong="dense_layer" name="one output column for each input"
def dense(x, weight, bias):
    return weight @ x.T + bias[:, None]


# %% wrong="dense_layer" name="transposes the caller's weight in place"
def dense(x, weight, bias):
    return x @ weight.t_() + bias


# %% right="dense_layer" name="einsum"
def dense(x, weight, bias):
    return torch.einsum("ni,ji->nj", x, weight) + bias


# %% right="dense_layer" name="addmm"
def dense(x, weight, bias):
    return torch.addmm(bias, x, weight.t())


# %% right="dense_layer" name="loop over neurons"
def dense(x, weight, bias):
    columns = [(x * row).sum(dim=1) + b for row, b in zip(weight, bias)]
    return torch.stack(columns, dim=1)


# %% wrong="mlp_forward" name="ReLU after the last layer too"
def mlp_forward(x, weights, biases):
    activations = [x]
    for weight, bias in zip(weights, biases):
        activations.append(torch.relu(activations[-1] @ weight.T + bias))
    return activations


# %% wrong="mlp_forward" name="no ReLU"
def mlp_forward(x, weights, biases):
    activations = [x]
    for weight, bias in zip(weights, biases):
        activations.append(activations[-1] @ weight.T + bias)
    return activations


# %% wrong="mlp_forward" name="returns the logits alone"
def mlp_forward(x, weights, biases):
    for weight, bias in zip(weights[:-1], biases[:-1]):
        x = torch.relu(x @ weight.T + bias)
    return x @ weights[-1].T + biases[-1]


# %% wrong="mlp_forward" name="leaves x out"
def mlp_forward(x, weights, biases):
    activations = []
    for layer, (weight, bias) in enumerate(zip(weights, biases)):
        x = x @ weight.T + bias
        if layer < len(weights) - 1:
            x = torch.relu(x)
        activations.append(x)
    return activations


# %% wrong="mlp_forward" name="keeps the sums before the ReLU"
def mlp_forward(x, weights, biases):
    kept, a = [x], x
    for layer, (weight, bias) in enumerate(zip(weights, biases)):
        z = a @ weight.T + bias
        kept.append(z)
        a = torch.relu(z)
    return kept


# %% wrong="mlp_forward" name="ReLU on the first hidden layer only"
def mlp_forward(x, weights, biases):
    activations = [x]
    for layer, (weight, bias) in enumerate(zip(weights, biases)):
        z = activations[-1] @ weight.T + bias
        activations.append(torch.relu(z) if layer == 0 else z)
    return activations


# %% wrong="mlp_forward" name="applies the ReLU to x"
def mlp_forward(x, weights, biases):
    activations = [x.relu_()]
    for layer, (weight, bias) in enumerate(zip(weights, biases), start=1):
        z = activations[-1] @ weight.T + bias
        activations.append(z if layer == len(weights) else torch.relu(z))
    return activations


# %% right="mlp_forward" name="last layer outside the loop"
def mlp_forward(x, weights, biases):
    kept = [x]
    for index in range(len(weights) - 1):
        z = F.linear(kept[index], weights[index], biases[index])
        kept.append(z * (z > 0))
    return (*kept, F.linear(kept[-1], weights[-1], biases[-1]))


# %% wrong="mlp_backward" name="forgets the mean over images"
# -     delta = delta / len(labels)

# %% wrong="mlp_backward" name="no mask for the ReLU"
# -         delta = (delta @ weights[layer]) * (activations[layer] > 0)
# +         delta = delta @ weights[layer]

# %% wrong="mlp_backward" name="mask from the gradient's sign"
# -         delta = (delta @ weights[layer]) * (activations[layer] > 0)
# +         delta = torch.relu(delta @ weights[layer])

# %% wrong="mlp_backward" name="lists from the last layer to the first"
# -         weight_grads.insert(0, delta.T @ activations[layer])
# -         bias_grads.insert(0, delta.sum(dim=0))
# +         weight_grads.append(delta.T @ activations[layer])
# +         bias_grads.append(delta.sum(dim=0))

# %% wrong="mlp_backward" name="bias gradient averaged once more"
# -         bias_grads.insert(0, delta.sum(dim=0))
# +         bias_grads.insert(0, delta.mean(dim=0))

# %% wrong="mlp_backward" name="label minus prediction"
# -     delta = torch.softmax(logits, dim=1) - F.one_hot(labels, logits.shape[1])
# +     delta = F.one_hot(labels, logits.shape[1]) - torch.softmax(logits, dim=1)

# %% wrong="mlp_backward" name="own softmax that overflows"
# -     delta = torch.softmax(logits, dim=1) - F.one_hot(labels, logits.shape[1])
# +     powers = logits.exp()
# +     delta = powers / powers.sum(dim=1, keepdim=True) - F.one_hot(labels, logits.shape[1])

# %% wrong="mlp_backward" name="softmax over the images"
# -     delta = torch.softmax(logits, dim=1) - F.one_hot(labels, logits.shape[1])
# +     delta = torch.softmax(logits, dim=0) - F.one_hot(labels, logits.shape[1])

# %% wrong="mlp_backward" name="writes the error into the logits"
# -     delta = torch.softmax(logits, dim=1) - F.one_hot(labels, logits.shape[1])
# +     delta = logits.copy_(torch.softmax(logits, dim=1))
# +     delta[torch.arange(len(labels)), labels] -= 1

# %% wrong="mlp_backward" name="masks with the next layer's activations"
#       for layer in reversed(range(len(weights))):
# +         if layer < len(weights) - 1:
# +             delta = delta @ weights[layer + 1]
# +         delta = delta * (activations[layer + 1] > 0)

# -         delta = (delta @ weights[layer]) * (activations[layer] > 0)


# %% right="mlp_backward" name="filled from the back, einsum"
def mlp_backward(activations, weights, labels):
    count = len(labels)
    grad = torch.log_softmax(activations[-1], dim=1).exp()
    grad[torch.arange(count), labels] -= 1.0
    grad = grad / count
    weight_grads, bias_grads = [None] * len(weights), [None] * len(weights)
    for index in range(len(weights) - 1, -1, -1):
        weight_grads[index] = torch.einsum("no,ni->oi", grad, activations[index])
        bias_grads[index] = torch.ones(count, dtype=grad.dtype, device=grad.device) @ grad
        if index > 0:
            grad = torch.where(activations[index] > 0, grad @ weights[index], 0.0)
    return weight_grads, bias_grads


# %% right="dropout" name="the mask in the same line"
def dropout(x, p, training, generator):
    if not training:
        return x
    return x * (torch.rand(x.shape, generator=generator) >= p) / (1 - p)


# %% wrong="dropout" name="does not scale the survivors" of="the mask in the same line"
# -     return x * (torch.rand(x.shape, generator=generator) >= p) / (1 - p)
# +     return x * (torch.rand(x.shape, generator=generator) >= p)


# %% wrong="dropout" name="scales in use instead of in training"
def dropout(x, p, training, generator):
    if not training:
        return x * (1 - p)
    return x * (torch.rand(x.shape, generator=generator) >= p)


# %% wrong="dropout" name="p taken as the share that is kept" of="the mask in the same line"
# -     return x * (torch.rand(x.shape, generator=generator) >= p) / (1 - p)
# +     return x * (torch.rand(x.shape, generator=generator) < p) / p if p else x

# %% wrong="dropout" name="drops whole columns, one draw for all images" of="the mask in the same line"
# -     return x * (torch.rand(x.shape, generator=generator) >= p) / (1 - p)
# +     return x * (torch.rand(x.shape[1:], generator=generator) >= p) / (1 - p)


# %% wrong="dropout" name="drops in use as well"
def dropout(x, p, training, generator):
    return x * (torch.rand(x.shape, generator=generator) >= p) / (1 - p)


# %% wrong="dropout" name="ignores the generator" of="the mask in the same line"
# -     return x * (torch.rand(x.shape, generator=generator) >= p) / (1 - p)
# +     return x * (torch.rand(x.shape) >= p) / (1 - p)

# %% wrong="dropout" name="the same draw in every call" of="the mask in the same line"
#           return x
# +     generator = torch.Generator().manual_seed(0)


# %% wrong="dropout" name="writes into x"
def dropout(x, p, training, generator):
    if training:
        x[torch.rand(x.shape, generator=generator) < p] = 0
        x /= 1 - p
    return x


# %% wrong="dropout" name="divides by p"
def dropout(x, p, training, generator):
    if not training or p == 0:
        return x
    return x * (torch.rand(x.shape, generator=generator) >= p) / p


# %% right="dropout" name="Bernoulli draws"
def dropout(x, p, training, generator):
    if training:
        mask = torch.empty_like(x).bernoulli_(1 - p, generator=generator)
        x = x.mul(mask).div(1 - p)
    return x


# %% right="dropout" name="torch.where"
def dropout(x, p, training, generator):
    if not training:
        return x.clone()
    drawn = torch.rand(x.shape, generator=generator, device=x.device)
    return torch.where(drawn < p, torch.zeros_like(x), x / (1 - p))


# %% wrong="weight_decay" name="coupled in both cases"
def decayed_step(weight, grad, scale, lr, decay, decoupled):
    return weight - lr * (grad + decay * weight) / scale


# %% wrong="weight_decay" name="decoupled without the learning rate"
# -         return weight - lr * grad / scale - lr * decay * weight
# +         return weight * (1 - decay) - lr * grad / scale

# %% wrong="weight_decay" name="shrinks the weight after the step"
# -         return weight - lr * grad / scale - lr * decay * weight
# +         return (weight - lr * grad / scale) * (1 - lr * decay)


# %% wrong="weight_decay" name="gradient of the penalty doubled"
def decayed_step(weight, grad, scale, lr, decay, decoupled):
    if decoupled:
        return weight - lr * grad / scale - 2 * lr * decay * weight
    return weight - lr * (grad + 2 * decay * weight) / scale


# %% wrong="weight_decay" name="weights grow"
def decayed_step(weight, grad, scale, lr, decay, decoupled):
    if decoupled:
        return weight - lr * (grad / scale - decay * weight)
    return weight - lr * (grad - decay * weight) / scale


# %% wrong="weight_decay" name="the two forms exchanged"
# -     if decoupled:
# +     if not decoupled:


# %% wrong="weight_decay" name="coupled decay not divided by the scale"
def decayed_step(weight, grad, scale, lr, decay, decoupled):
    return weight - lr * (grad / scale + decay * weight)


# %% wrong="weight_decay" name="changes the weight in place"
def decayed_step(weight, grad, scale, lr, decay, decoupled):
    if decoupled:
        weight *= 1 - lr * decay
        weight -= lr * grad / scale
        return weight
    weight -= lr * (grad + decay * weight) / scale
    return weight


# %% right="weight_decay" name="as AdamW writes it"
def decayed_step(weight, grad, scale, lr, decay, decoupled):
    pull, shrink = (0.0, 1.0 - lr * decay) if decoupled else (decay, 1.0)
    return torch.addcdiv(weight * shrink, grad + pull * weight, scale, value=-lr)


# %% wrong="l1_map" name="the batch size in place of N"
def map_loss(nll, weight, scale, examples):
    return nll.mean() + weight.abs().sum() / (len(nll) * scale)


# %% wrong="l1_map" name="forgets N"
def map_loss(nll, weight, scale, examples):
    return nll.mean() + weight.abs().sum() / scale


# %% wrong="l1_map" name="multiplies by the scale"
def map_loss(nll, weight, scale, examples):
    return nll.mean() + weight.abs().sum() * scale / examples


# %% wrong="l1_map" name="mean of the weights instead of their sum"
def map_loss(nll, weight, scale, examples):
    return nll.mean() + weight.abs().mean() / (examples * scale)


# %% wrong="l1_map" name="squares: a Gaussian prior"
def map_loss(nll, weight, scale, examples):
    return nll.mean() + (weight**2).sum() / (2 * examples * scale**2)


# %% wrong="l1_map" name="no absolute value"
def map_loss(nll, weight, scale, examples):
    return nll.mean() + weight.sum() / (examples * scale)


# %% wrong="l1_map" name="sum of the losses"
def map_loss(nll, weight, scale, examples):
    return nll.sum() + weight.abs().sum() / scale


# %% wrong="l1_map" name="cuts the gradient"
def map_loss(nll, weight, scale, examples):
    return nll.mean() + weight.abs().sum().item() / (examples * scale)


# %% right="l1_map" name="norm"
def map_loss(nll, weight, scale, examples):
    strength = 1 / (examples * scale)
    return nll.sum() / len(nll) + strength * torch.linalg.vector_norm(weight, ord=1)


# %% right="l1_map" name="through the density"
def map_loss(nll, weight, scale, examples):
    density = torch.distributions.Laplace(0.0, scale).log_prob(weight)
    return nll.mean() - (density + math.log(2 * scale)).sum() / examples


# %% wrong="soft_threshold" name="calls the library"
def soft_threshold(weight, threshold):
    return F.softshrink(weight, threshold)


# %% wrong="soft_threshold" name="hard threshold"
def soft_threshold(weight, threshold):
    return torch.where(weight.abs() > threshold, weight, torch.zeros_like(weight))


# %% wrong="soft_threshold" name="loses the sign"
def soft_threshold(weight, threshold):
    return (weight.abs() - threshold).clamp(min=0)


# %% wrong="soft_threshold" name="crosses zero"
def soft_threshold(weight, threshold):
    return weight - threshold * weight.sign()


# %% wrong="soft_threshold" name="subtracts from negative weights too"
def soft_threshold(weight, threshold):
    return torch.where(weight.abs() > threshold, weight - threshold, torch.zeros_like(weight))


# %% wrong="soft_threshold" name="clips to the threshold"
def soft_threshold(weight, threshold):
    return weight.clamp(-threshold, threshold)


# %% wrong="soft_threshold" name="half the threshold"
def soft_threshold(weight, threshold):
    return weight.sign() * (weight.abs() - threshold / 2).clamp(min=0)


# %% wrong="soft_threshold" name="in place"
def soft_threshold(weight, threshold):
    size = (weight.abs() - threshold).clamp(min=0)
    return weight.sign_().mul_(size)


# %% right="soft_threshold" name="what clipping leaves over"
def soft_threshold(weight, threshold):
    return weight - weight.clamp(-threshold, threshold)


# %% right="soft_threshold" name="three cases"
def soft_threshold(weight, threshold):
    above = torch.where(weight > threshold, weight - threshold, torch.zeros_like(weight))
    return torch.where(weight < -threshold, weight + threshold, above)


# %% wrong="sgd_momentum" name="learning rate inside the velocity"
def sgd_momentum(weight, grad, velocity, lr, momentum):
    velocity = momentum * velocity + lr * grad
    return weight - velocity, velocity


# %% wrong="sgd_momentum" name="gradient damped by one minus momentum"
# -     velocity = momentum * velocity + grad
# +     velocity = momentum * velocity + (1 - momentum) * grad


# %% wrong="sgd_momentum" name="steps with the old velocity"
def sgd_momentum(weight, grad, velocity, lr, momentum):
    return weight - lr * velocity, momentum * velocity + grad


# %% wrong="sgd_momentum" name="Nesterov momentum"
# -     return weight - lr * velocity, velocity
# +     return weight - lr * (grad + momentum * velocity), velocity

# %% wrong="sgd_momentum" name="forgets to return the velocity"
# -     return weight - lr * velocity, velocity
# +     return weight - lr * velocity

# %% wrong="sgd_momentum" name="velocity in place"
# -     velocity = momentum * velocity + grad
# +     velocity.mul_(momentum).add_(grad)


# %% wrong="sgd_momentum" name="returns the old velocity"
def sgd_momentum(weight, grad, velocity, lr, momentum):
    return weight - lr * (momentum * velocity + grad), velocity


# %% right="sgd_momentum" name="torch.add and torch.sub with alpha"
def sgd_momentum(weight, grad, velocity, lr, momentum):
    new = torch.add(grad, velocity, alpha=momentum)
    return torch.sub(weight, new, alpha=lr), new


# %% wrong="rmsprop" name="eps under the root"
# -     return weight - lr * grad / (square.sqrt() + eps), square
# +     return weight - lr * grad / (square + eps).sqrt(), square

# %% wrong="rmsprop" name="no root"
# -     return weight - lr * grad / (square.sqrt() + eps), square
# +     return weight - lr * grad / (square + eps), square

# %% wrong="rmsprop" name="alpha and 1 - alpha exchanged"
# -     square = alpha * square + (1 - alpha) * grad**2
# +     square = (1 - alpha) * square + alpha * grad**2


# %% wrong="rmsprop" name="divides by the old mean square"
def rmsprop(weight, grad, square, lr, alpha, eps):
    step = lr * grad / (square.sqrt() + eps)
    return weight - step, alpha * square + (1 - alpha) * grad**2


# %% wrong="rmsprop" name="sums squares like Adagrad"
# -     square = alpha * square + (1 - alpha) * grad**2
# +     square = square + grad**2


# %% wrong="rmsprop" name="mean of the gradient's size, not of its square"
def rmsprop(weight, grad, square, lr, alpha, eps):
    square = alpha * square + (1 - alpha) * grad.abs()
    return weight - lr * grad / (square + eps), square


# %% wrong="rmsprop" name="in place"
# -     square = alpha * square + (1 - alpha) * grad**2
# +     square.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)

# %% wrong="rmsprop" name="forgets eps"
# -     return weight - lr * grad / (square.sqrt() + eps), square
# +     return weight - lr * grad / square.sqrt(), square


# %% right="rmsprop" name="lerp and addcdiv"
def rmsprop(weight, grad, square, lr, alpha, eps):
    new = torch.lerp(grad.square(), square, alpha)
    return torch.addcdiv(weight, grad, new.sqrt().add(eps), value=-lr), new


# %% right="adam" name="both corrections in one line"
def adam(weight, grad, mean, square, step, lr, betas, eps):
    mean = betas[0] * mean + (1 - betas[0]) * grad
    square = betas[1] * square + (1 - betas[1]) * grad**2
    first, second = mean / (1 - betas[0] ** step), square / (1 - betas[1] ** step)
    return weight - lr * first / (second.sqrt() + eps), mean, square


# %% wrong="adam" name="no bias correction" of="both corrections in one line"
# -     first, second = mean / (1 - betas[0] ** step), square / (1 - betas[1] ** step)
# -     return weight - lr * first / (second.sqrt() + eps), mean, square
# +     return weight - lr * mean / (square.sqrt() + eps), mean, square


# %% wrong="adam" name="keeps the corrected means"
def adam(weight, grad, mean, square, step, lr, betas, eps):
    mean = (betas[0] * mean + (1 - betas[0]) * grad) / (1 - betas[0] ** step)
    square = (betas[1] * square + (1 - betas[1]) * grad**2) / (1 - betas[1] ** step)
    return weight - lr * mean / (square.sqrt() + eps), mean, square


# %% wrong="adam" name="counts steps from 0" of="both corrections in one line"
# -     first, second = mean / (1 - betas[0] ** step), square / (1 - betas[1] ** step)
# +     first = mean / (1 - betas[0] ** (step + 1))
# +     second = square / (1 - betas[1] ** (step + 1))

# %% wrong="adam" name="eps under the root" of="both corrections in one line"
# -     return weight - lr * first / (second.sqrt() + eps), mean, square
# +     return weight - lr * first / (second + eps).sqrt(), mean, square


# %% wrong="adam" name="betas exchanged"
def adam(weight, grad, mean, square, step, lr, betas, eps):
    mean = betas[1] * mean + (1 - betas[1]) * grad
    square = betas[0] * square + (1 - betas[0]) * grad**2
    first, second = mean / (1 - betas[1] ** step), square / (1 - betas[0] ** step)
    return weight - lr * first / (second.sqrt() + eps), mean, square


# %% wrong="adam" name="corrects the root instead of the square"
def adam(weight, grad, mean, square, step, lr, betas, eps):
    mean = betas[0] * mean + (1 - betas[0]) * grad
    square = betas[1] * square + (1 - betas[1]) * grad**2
    first, root = mean / (1 - betas[0] ** step), square.sqrt() / (1 - betas[1] ** step)
    return weight - lr * first / (root + eps), mean, square


# %% wrong="adam" name="eps added before the correction"
def adam(weight, grad, mean, square, step, lr, betas, eps):
    mean = betas[0] * mean + (1 - betas[0]) * grad
    square = betas[1] * square + (1 - betas[1]) * grad**2
    size = lr * math.sqrt(1 - betas[1] ** step) / (1 - betas[0] ** step)
    return weight - size * mean / (square.sqrt() + eps), mean, square


# %% wrong="adam" name="correction without the power" of="both corrections in one line"
# -     first, second = mean / (1 - betas[0] ** step), square / (1 - betas[1] ** step)
# +     first, second = mean / (1 - betas[0]), square / (1 - betas[1])

# %% wrong="adam" name="square of the mean" of="both corrections in one line"
# -     square = betas[1] * square + (1 - betas[1]) * grad**2
# +     square = betas[1] * square + (1 - betas[1]) * mean**2


# %% wrong="adam" name="state in place"
def adam(weight, grad, mean, square, step, lr, betas, eps):
    mean.mul_(betas[0]).add_(grad, alpha=1 - betas[0])
    square.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    first, second = mean / (1 - betas[0] ** step), square / (1 - betas[1] ** step)
    return weight - lr * first / (second.sqrt() + eps), mean, square


# %% right="adam" name="the paper's efficient form, with eps scaled to match"
def adam(weight, grad, mean, square, step, lr, betas, eps):
    (beta1, beta2), (m, s) = betas, (torch.lerp(grad, mean, betas[0]), torch.lerp(grad * grad, square, betas[1]))
    correction = math.sqrt(1 - beta2**step)
    return weight - lr * correction / (1 - beta1**step) * m / (s.sqrt() + eps * correction), m, s


# %% wrong="multi_stage" name="a milestone counts one step late"
# -     return gamma ** sum(step >= milestone for milestone in milestones)
# +     return gamma ** sum(step > milestone for milestone in milestones)

# %% wrong="multi_stage" name="warm-up starts at 0"
# -         return (step + 1) / warmup
# +         return step / warmup

# %% wrong="multi_stage" name="falls once only"
# -     return gamma ** sum(step >= milestone for milestone in milestones)
# +     return gamma if step >= milestones[0] else 1.0

# %% wrong="multi_stage" name="multiplies by the number of milestones"
# -     return gamma ** sum(step >= milestone for milestone in milestones)
# +     reached = sum(step >= milestone for milestone in milestones)
# +     return gamma * reached if reached else 1.0


# %% wrong="multi_stage" name="divides by a warm-up of 0"
def multi_stage(step, warmup, milestones, gamma):
    rise = min((step + 1) / warmup, 1.0)
    return rise * gamma ** sum(step >= milestone for milestone in milestones)


# %% wrong="multi_stage" name="milestones counted from the end of the warm-up"
# -     return gamma ** sum(step >= milestone for milestone in milestones)
# +     return gamma ** sum(step - warmup >= milestone for milestone in milestones)


# %% wrong="multi_stage" name="returns a rate, not a factor"
def multi_stage(step, warmup, milestones, gamma):
    rise = min((step + 1) / warmup, 1.0) if warmup else 1.0
    return 0.1 * rise * gamma ** sum(step >= milestone for milestone in milestones)


# %% right="multi_stage" name="a loop over milestones"
def multi_stage(step, warmup, milestones, gamma):
    factor = min(1.0, (step + 1) / max(warmup, 1))
    for milestone in milestones:
        if step >= milestone:
            factor *= gamma
    return factor


# %% right="multi_stage" name="bisect"
def multi_stage(step, warmup, milestones, gamma):
    import bisect

    return (step + 1) / warmup if step < warmup else gamma ** bisect.bisect_right(milestones, step)


# %% wrong="warmup_cosine" name="the wave starts at step 0"
# -     done = min((step - warmup) / (total - warmup), 1.0)
# +     done = min(step / total, 1.0)

# %% wrong="warmup_cosine" name="rises again after the end"
# -     done = min((step - warmup) / (total - warmup), 1.0)
# +     done = (step - warmup) / (total - warmup)

# %% wrong="warmup_cosine" name="floor cuts the wave off"
# -     return floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2
# +     return max(floor, (1 + math.cos(math.pi * done)) / 2)

# %% wrong="warmup_cosine" name="floor added on top"
# -     return floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2
# +     return floor + (1 + math.cos(math.pi * done)) / 2

# %% wrong="warmup_cosine" name="a quarter of the wave"
# -     return floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2
# +     return floor + (1 - floor) * math.cos(math.pi / 2 * done)

# %% wrong="warmup_cosine" name="degrees"
# -     return floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2
# +     return floor + (1 - floor) * (1 + math.cos(180 * done)) / 2

# %% wrong="warmup_cosine" name="warm-up starts at 0"
# -         return (step + 1) / warmup
# +         return step / warmup

# %% wrong="warmup_cosine" name="the wave takes total steps after the warm-up"
# -     done = min((step - warmup) / (total - warmup), 1.0)
# +     done = min((step - warmup) / total, 1.0)


# %% right="warmup_cosine" name="squared cosine of the half angle"
def warmup_cosine(step, warmup, total, floor=0.0):
    if step < warmup:
        return (step + 1) / warmup
    angle = math.pi / 2 * min(1, (step - warmup) / (total - warmup))
    return 1 - (1 - floor) * math.sin(angle) ** 2
