"""1e: the parts of a masked autoencoder. Oracles: counting, and loops over tokens in float64."""

from __future__ import annotations

import torch
from torch import Tensor

from autograders.engine.asking.comparison import close, equal, parts, unchanged
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student


def orders(rng: Inputs, images: int, tokens: int) -> Tensor:
    """int64 [images, tokens]: permutations, all different, none its own inverse. From 3 tokens on."""
    rows: list[list[int]] = []
    while len(rows) < images:
        row = rng.permutation(tokens)
        if not torch.equal(row[row], torch.arange(tokens)) and row.tolist() not in rows:
            rows.append(row.tolist())
    return torch.tensor(rows)


@question("random_masking")
def random_masking(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def task(images: int, tokens: int, keep: int) -> tuple[Tensor, int]:
        return (orders(rng, images, tokens) + rng.number(0.1, 0.9)) / (tokens + 1), keep

    def expected(noise: Tensor, keep: int) -> tuple[Tensor, Tensor, Tensor]:
        """A token's place is the count of smaller numbers."""
        places = [[sum(other < number for other in row) for number in row] for row in noise.tolist()]
        kept = [[row.index(place) for place in range(keep)] for row in places]
        return torch.tensor(kept), torch.tensor(places), torch.tensor([[p >= keep for p in row] for row in places])

    tokens = rng.integer(7, 11)
    batch = task(4, tokens, tokens // 2 + 1)
    hints = {
        "kept": "The smallest numbers, smallest first.",
        "restore": "Where each token stands in the order, not the order itself.",
        "hidden": "In the order of the image, True for what is not kept.",
    }
    for number, (name, hint) in enumerate(hints.items()):
        with case(f"several images: {name}"):
            answer = parts(student.random_masking(*batch), 3, hint="Three tensors.")
            equal(answer[number], expected(*batch)[number], hint=hint)
    tasks = {  # noise, keep
        "one image": task(1, tokens, 3),
        "one token is kept": task(3, tokens, 1),
        "one token is hidden": task(3, tokens, tokens - 1),
        "every token is kept": task(3, tokens, tokens),
        "few of many": task(2, rng.integer(20, 40), 5),
    }
    for name, (noise, keep) in tasks.items():
        with case(name):
            answer, after = student.after("random_masking", noise, keep)
            equal(parts(answer, 3, hint="Three tensors."), expected(noise, keep))
            unchanged(after[0], noise)


def restored(encoded: Tensor, mask_token: Tensor, restore: Tensor) -> Tensor:
    """Token by token; with autograd, for the gradients."""
    kept = encoded.shape[1]
    rows = [
        torch.stack([encoded[n, place] if place < kept else mask_token for place in row])
        for n, row in enumerate(restore.tolist())
    ]
    return torch.stack(rows)


@question("restore_tokens")
def restore_tokens(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def task(images: int, kept: int, tokens: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        return rng.normal(images, kept, width), rng.normal(width), orders(rng, images, tokens)

    tokens = rng.integer(6, 10)
    tasks = {  # encoded, mask token, restore
        "one image": task(1, 4, tokens, 3),
        "several images": task(4, tokens // 2, tokens, 5),
        "tokens of one number": task(3, 4, tokens, 1),
        "long tokens": task(2, 3, 5, rng.integer(12, 20)),
        "nothing is hidden": task(3, tokens, tokens, 4),
        "all but one are hidden": task(3, 1, tokens, 4),
    }
    hints = {
        "one image": "Mask tokens stand behind the encoded ones; then the shuffling is undone.",
        "several images": "Every image has its own order.",
    }
    for name, arguments in tasks.items():
        with case(name):
            answer, after = student.after("restore_tokens", *arguments)
            close(answer, restored(*arguments), hint=hints.get(name, ""))
            unchanged(after, arguments)

    encoded, mask_token, order = task(3, 3, tokens, 4)
    upstream = rng.normal(3, tokens, 4)
    ours = encoded.clone().requires_grad_(), mask_token.clone().requires_grad_()
    for number, name in enumerate(("the encoded tokens", "the mask token")):
        with case(f"gradients for {name}"):
            expected = torch.autograd.grad((restored(*ours, order) * upstream).sum(), ours)
            arguments = encoded, mask_token, order
            value, gradients = student.gradients("restore_tokens", *arguments, wrt=(0, 1), upstream=upstream)
            close(value, restored(*arguments))
            close(gradients[number], expected[number], hint="Neither detach nor copy numbers into a fresh tensor.")


def hidden_error(prediction: Tensor, patches: Tensor, hidden: Tensor, normalise: bool) -> Tensor:
    """Number by number in float64."""
    squares = []
    for n, t in hidden.nonzero().tolist():
        truth = patches[n, t].double()
        if normalise:
            mean = sum(truth.tolist()) / len(truth)
            variance = sum((value - mean) ** 2 for value in truth.tolist()) / (len(truth) - 1)
            truth = (truth - mean) / (variance + 1e-6) ** 0.5
        squares += list((prediction[n, t].double() - truth) ** 2)
    return torch.stack(squares).mean()


@question("masked_loss")
def masked_loss(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def masks(*counts: int) -> Tensor:
        return torch.stack([rng.permutation(6) < count for count in counts])

    def task(hidden: Tensor, normalise: bool, numbers: int = 4) -> tuple[Tensor, Tensor, Tensor, bool]:
        shape = (*hidden.shape, numbers)
        return rng.normal(*shape), rng.uniform(*shape) + 0.5, hidden, normalise

    uneven = masks(1, 6, 3)
    garbage, truth, hidden, _ = task(masks(2, 4), False)
    garbage = garbage + (~hidden)[:, :, None] * rng.normal(2, 6, 4, std=300)
    guess, flat, all_hidden, _ = task(masks(6, 6), True)
    flat[0, 1:4], flat[1, 2] = 0.5, 1.0
    levels = 5 * rng.normal(3, 6, 1)
    shifted = task(masks(4, 2, 5), True)
    tasks = {  # prediction, patches, hidden, normalise
        "as many hidden in every image": task(masks(3, 3), False),
        "images that hide different numbers": task(uneven, False),
        "one hidden patch in the batch": task(masks(0, 1, 0), False),
        "an image that hides nothing": task(masks(4, 0), False),
        "wild guesses for visible patches": (garbage, truth, hidden, False),
        "normalised": task(uneven, True, 3),
        "normalised, patches of different brightness": (shifted[0], shifted[1] + levels, *shifted[2:]),
        "normalised, patches of one colour": (guess, flat, all_hidden, True),
    }
    hints = {
        "images that hide different numbers": "Every hidden patch of the batch counts the same.",
        "one hidden patch in the batch": "Divide by the number of hidden patches.",
        "wild guesses for visible patches": "Only hidden patches count.",
        "normalised": "The true patches alone, with the divisor of a sample.",
        "normalised, patches of different brightness": "Each patch has a mean and a variance of its own.",
        "normalised, patches of one colour": "Add a little to the variance before the division.",
    }
    for name, arguments in tasks.items():
        with case(name):
            answer, after = student.after("masked_loss", *arguments)
            close(answer, hidden_error(*arguments), rtol=1e-3, atol=1e-4, hint=hints.get(name, ""))
            unchanged(after[:3], arguments[:3])

    prediction, patches, hidden, normalise = task(uneven, True)
    ours = prediction.clone().requires_grad_()
    with case("gradients for the prediction"):
        [expected] = torch.autograd.grad(hidden_error(ours, patches, hidden, normalise), [ours])
        _, gradients = student.gradients("masked_loss", prediction, patches, hidden, normalise)
        close(gradients, (expected,), rtol=1e-3, hint="None for visible patches.")
