"""1e: neighbours, InfoNCE and NT-Xent. Oracles: sums and logarithms in float64, one query at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from autograders.engine.asking.comparison import close, equal, unchanged
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student


def cosines(first: Tensor, second: Tensor) -> np.ndarray:
    """[rows of first, rows of second], float64."""
    a, b = first.double().numpy(), second.double().numpy()
    return (a @ b.T) / np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))


def vote(similarity: np.ndarray, labels: list[int], classes: int, k: int, temperature: float) -> int | None:
    """The class with most weight; None where float32 may decide otherwise."""
    order = np.argsort(-similarity)
    if k < len(order) and similarity[order[k - 1]] - similarity[order[k]] < 1e-5:
        return None
    weights = [0.0] * classes
    for place in order[:k]:
        weights[labels[place]] += float(np.exp((similarity[place] - similarity[order[0]]) / temperature))
    ranked = sorted(weights)
    clear = ranked[-1] - ranked[-2] > (1e-4 + 1e-5 / temperature) * ranked[-1]
    return weights.index(ranked[-1]) if clear else None


def rescaled(rng: Inputs, rows: Tensor) -> Tensor:
    """The same directions with lengths between 0.1 and 10."""
    return rows * 10 ** rng.uniform(len(rows), 1, low=-1, high=1)


def clusters(rng: Inputs, sizes: list[int], width: int, spread: float) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of random lengths around one centre a class, in random order, their classes, and the centres."""
    centres = rng.normal(len(sizes), width)
    classes = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))[rng.permutation(sum(sizes))]
    return rescaled(rng, centres[classes] + spread * rng.normal(sum(sizes), width)), classes, centres


@question("knn_predict")
def knn_predict(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def near(centres: Tensor, spread: float, count: int = 40) -> Tensor:
        chosen = rng.integers(0, len(centres), count)
        return rescaled(rng, centres[chosen] + spread * rng.normal(count, centres.shape[1]))

    bank, labels, centres = clusters(rng, [6, 5, 7, 4], 6, 0.9)
    queries, n = near(centres, 0.9), len(bank)
    long_bank = torch.cat([bank, -30 * centres])
    long_labels = torch.cat([labels, (torch.arange(4) + 1) % 4])
    apart, apart_labels, _ = clusters(rng, [5, 5, 5, 5], 5, 0.6)
    crowd = centres[:1] * torch.tensor([[-1.0]]) + 0.3 * rng.normal(60, 6)
    crowded, crowded_labels = torch.cat([bank, crowd]), torch.cat([labels, torch.full((60,), 4)])
    tasks = {  # bank, labels, queries, classes, k, temperature
        "one neighbour, long rows far away": (long_bank, long_labels, queries, 4, 1, 0.5),
        "several neighbours": (bank, labels, queries, 4, 5, 0.1),
        "a high temperature": (bank, labels, near(centres, 1.5), 4, 3, 10.0),
        "everybody votes, at a low temperature": (bank, labels, near(centres, 1.2), 4, n, 0.05),
        "near nought, nobody similar": (apart.abs(), apart_labels, -rng.normal(40, 5).abs(), 4, 6, 0.001),
        "near nought, similar rows": (bank, labels, queries, 4, 4, 0.001),
        "a crowd that is far away": (crowded, crowded_labels, near(centres[1:], 0.8), 5, 6, 1.0),
        "classes without labelled images": (bank, labels + rng.integer(2, 5), near(centres, 1.0), 12, 4, 0.2),
    }
    hints = {
        "one neighbour, long rows far away": "A long vector is not a similar one.",
        "a high temperature": "Weights are nearly equal, but not quite.",
        "near nought, nobody similar": "Exponentials vanish: subtract a query's largest similarity first.",
        "near nought, similar rows": "Exponentials overflow: subtract a query's largest similarity first.",
        "a crowd that is far away": "Only the nearest vote.",
        "classes without labelled images": "The answer is a class, not a place in the bank.",
    }
    for name, (rows, known, asked, classes, k, temperature) in tasks.items():
        votes = [vote(line, known.tolist(), classes, k, temperature) for line in cosines(asked, rows)]
        clear = [place for place, winner in enumerate(votes) if winner is not None]
        arguments = rows, known, asked[clear], classes, k, temperature
        with case(name):
            answer, after = student.after("knn_predict", *arguments)
            equal(answer, torch.tensor([votes[place] for place in clear]), hint=hints.get(name, ""))
            unchanged(after[:3], arguments[:3])


def info_nce_loss(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """In float64, query by query; with autograd, for the gradients."""
    q, k = queries.double(), keys.double()
    losses = []
    for i in range(len(q)):
        logits = torch.stack([torch.dot(q[i], key) / (q[i].norm() * key.norm()) for key in k]) / temperature
        losses.append(torch.logsumexp(logits, 0) - logits[i])
    return sum(losses[1:], losses[0]) / len(losses)


@question("info_nce")
def info_nce(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    width = rng.integer(3, 7)
    keys = rescaled(rng, rng.normal(9, width))
    found = keys[:5] + 0.5 * keys[:5].norm(dim=1, keepdim=True) * rng.normal(5, width) / width**0.5
    strangers, turned = rng.normal(6, width), rng.integer(1, 4)
    same = rng.normal(1, width).expand(4, width).clone()
    tasks = {  # queries, keys, temperature
        "as many keys as queries": (found, keys[:5], rng.number(0.2, 0.6)),
        "more keys than queries": (found, keys, rng.number(0.2, 0.6)),
        "vectors that are all the same": (same, torch.cat([same, same[:3]]), 0.2),
        "keys in another order": (strangers, strangers.roll(turned, 0), rng.number(0.3, 0.8)),
        "a temperature near nought": (strangers, strangers.roll(turned, 0), 0.005),
        "one query": (rng.normal(1, width), keys, rng.number(0.4, 0.9)),
        "every query asked twice": (strangers.repeat(2, 1), rng.normal(12, width), 0.4),
    }
    hints = {
        "as many keys as queries": "Vectors have length one before they are compared; the mean over the queries.",
        "more keys than queries": "A query chooses among all keys.",
        "vectors that are all the same": "Guessing: the positive is one of the keys.",
        "keys in another order": "Key i belongs to query i, however similar another is.",
        "a temperature near nought": "Exponentials overflow: use log-sum-exp.",
    }
    for name, (queries, given, temperature) in tasks.items():
        with case(name):
            expected = info_nce_loss(queries, given, temperature)
            close(student.info_nce(queries, given, temperature), expected, atol=1e-4, hint=hints.get(name, ""))

    temperature = rng.number(0.3, 0.7)
    ours = found.clone().requires_grad_(), keys.clone().requires_grad_()
    with case("gradients for queries and keys"):
        expected = torch.autograd.grad(info_nce_loss(*ours, temperature), ours)
        value, gradients = student.gradients("info_nce", found, keys, temperature, wrt=(0, 1))
        close(value, info_nce_loss(found, keys, temperature), atol=1e-4)
        close(gradients, expected, rtol=1e-3, atol=1e-4)


def nt_xent_loss(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """In float64, view by view; with autograd, for the gradients."""
    n, views = len(first), torch.cat([first, second]).double()
    losses = []
    for a, view in enumerate(views):
        logits = {b: view @ views[b] / (view.norm() * views[b].norm()) / temperature for b in range(2 * n) if b != a}
        losses.append(torch.logsumexp(torch.stack(list(logits.values())), 0) - logits[a + n if a < n else a - n])
    return sum(losses[1:], losses[0]) / (2 * n)


@question("nt_xent")
def nt_xent(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    width, n = rng.integer(3, 7), rng.integer(4, 9)
    first = rescaled(rng, rng.normal(n, width))
    second = first + first.norm(dim=1, keepdim=True) * rng.normal(n, width) / width**0.5
    bunch = rng.normal(1, width) + 0.1 * rng.normal(5, width)
    pair = rng.normal(1, width), rng.normal(1, width)
    tasks = {  # first, second, temperature
        "one image": (*pair, 0.3),
        "three images": (rng.normal(3, width), rng.normal(3, width), rng.number(0.3, 0.8)),
        "vectors of any length": (first, second, rng.number(0.2, 0.6)),
        "the two kinds of views exchanged": (second, rescaled(rng, first), rng.number(0.2, 0.6)),
        "first views that are all alike": (bunch, rng.normal(5, width), rng.number(0.2, 0.6)),
        "partners that point apart": (first, -second, rng.number(0.4, 0.9)),
        "a temperature near nought": (first, second.roll(1, 0), 0.005),
    }
    hints = {
        "one image": "Nobody but the partner is left to choose from: a view is not compared with itself.",
        "first views that are all alike": "Views of the same kind are negatives too.",
        "partners that point apart": "Leave a view itself out; a similarity of nought in its place still counts.",
        "a temperature near nought": "Exponentials overflow: use log-sum-exp.",
    }
    for name, (one, other, temperature) in tasks.items():
        with case(name):
            expected = nt_xent_loss(one, other, temperature)
            close(student.nt_xent(one, other, temperature), expected, atol=1e-4, hint=hints.get(name, ""))

    temperature = rng.number(0.3, 0.7)
    ours = first.clone().requires_grad_(), second.clone().requires_grad_()
    with case("gradients for both kinds of views"):
        expected = torch.autograd.grad(nt_xent_loss(*ours, temperature), ours)
        value, gradients = student.gradients("nt_xent", first, second, temperature, wrt=(0, 1))
        close(value, nt_xent_loss(first, second, temperature), atol=1e-4)
        close(gradients, expected, rtol=1e-3, atol=1e-4)
