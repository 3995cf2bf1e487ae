"""1d: attention and what stands around it. Oracles: torch's functions and layers, in double precision where needed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograders.engine.asking.comparison import close, parts, that, unchanged
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import RemoteObject, Student


def random_mask(rng: Inputs, *shape: int) -> Tensor:
    """Every row sees at least one column."""
    mask = rng.uniform(*shape) < 0.5
    mask[..., rng.integer(0, shape[-1])] = True
    return mask


@question("attention")
def attention(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def expected(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Output, and weights as what a unit value for each key would give; in double precision."""
        q, k, v = q.double(), k.double(), v.double()
        ones = torch.eye(k.shape[-2], dtype=torch.float64).expand(*k.shape[:-2], -1, -1)
        both = (F.scaled_dot_product_attention(q, k, values, mask) for values in (v, ones))
        return tuple(tensor.float() for tensor in both)

    size = rng.integer(3, 7)
    tasks = {  # q, k, v
        "one query, one axis less": ((1, size), (4, size), (4, 3)),
        "more keys than queries": ((2, 3, 4), (2, 6, 4), (2, 6, 5)),
        "more queries than keys": ((2, 6, size), (2, 3, size), (2, 3, 1)),
        "heads, and wide keys": ((2, 3, 4, 16), (2, 3, 4, 16), (2, 3, 4, 16)),
    }
    for name, shapes in tasks.items():
        q, k, v = (2 * rng.normal(*shape) for shape in shapes)
        with case(name):
            answer = parts(student.attend(q, k, v), 2, hint="Output and weights.")
            close(answer, expected(q, k, v), hint="Scaled by the root of the keys' width; softmax over keys.")

    q, k, v = rng.normal(2, 3, 5, 4), rng.normal(2, 3, 6, 4), rng.normal(2, 3, 6, 2)
    masks = {"a mask for all": random_mask(rng, 5, 6), "a mask for each sample": random_mask(rng, 2, 1, 5, 6)}
    for name, mask in masks.items():
        with case(name):
            output, weights = parts(student.attend(q, k, v, mask), 2, hint="Output and weights.")
            close((output, weights), expected(q, k, v, mask), hint="Hidden before the softmax; True may be seen.")
            that(bool((weights[~mask.expand(2, 3, 5, 6)] == 0).all()), "A hidden key has a weight above nought.")

    q, k, v = 60 * rng.normal(1, 4, 8), 60 * rng.normal(1, 5, 8), rng.normal(1, 5, 3)
    with case("large scores"):
        answer = parts(student.attend(q, k, v), 2, hint="Output and weights.")
        close(answer, expected(q, k, v), rtol=1e-3, atol=1e-3, hint="Exponentials of large scores overflow.")

    given = rng.normal(2, 3, 4), rng.normal(2, 5, 4), rng.normal(2, 5, 4), random_mask(rng, 3, 5)
    with case("the arguments keep their values"):
        answer, after = student.after("attend", *given)
        close(parts(answer, 2), expected(*given))
        unchanged(after, given)


@question("multi_head")
def multi_head(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def expected(x: Tensor, memory: Tensor, weights: list[Tensor], heads: int, mask: Tensor | None = None) -> Tensor:
        layer = nn.MultiheadAttention(x.shape[2], heads, bias=False, batch_first=True)
        layer.in_proj_weight.data, layer.out_proj.weight.data = torch.cat(weights[:3]), weights[3]
        hidden = None if mask is None else ~mask.expand(len(x), heads, *mask.shape[-2:]).flatten(0, 1)
        with torch.no_grad():
            return layer(x, memory, memory, attn_mask=hidden, need_weights=False)[0]

    def weights(width: int) -> list[Tensor]:
        return [1.5 * rng.normal(width, width) / width**0.5 for _ in range(4)]

    heads = rng.integer(2, 5)
    tasks = {  # x, memory or None, heads
        "one head": ((2, 4, 6), (2, 3, 6), 1),
        "several heads, a memory": ((2, 3, 4 * heads), (2, 5, 4 * heads), heads),
        "several heads, the tokens themselves": ((3, 4, 12), None, 3),
        "as many heads as numbers": ((1, 3, 4), (1, 6, 4), 4),
        "as many tokens as heads": ((2, 4, 8), (2, 4, 8), 4),
    }
    hints = {
        "one head": "Weights are those of a linear layer, transposed; four of them.",
        "several heads, a memory": "Neighbouring numbers form a head; keys and values come from the memory.",
    }
    for name, (shape, memory_shape, count) in tasks.items():
        x, own = rng.normal(*shape), weights(shape[2])
        memory = x if memory_shape is None else rng.normal(*memory_shape)
        with case(name):
            found = student.multi_head(x, memory, *own, count)
            close(found, expected(x, memory, own, count), atol=1e-4, hint=hints.get(name, ""))

    x, memory, own = rng.normal(2, 4, 6), rng.normal(2, 5, 6), weights(6)
    masks = {"a mask for all": random_mask(rng, 4, 5), "a mask for each sample and head": random_mask(rng, 2, 3, 4, 5)}
    for name, mask in masks.items():
        with case(name):
            found = student.multi_head(x, memory, *own, 3, mask)
            close(found, expected(x, memory, own, 3, mask), atol=1e-4, hint="The mask goes to the attention.")


@question("ffn_gelu", without=("F.gelu",))
def ffn_gelu(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def slope(x: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        return torch.autograd.grad(F.gelu(x).sum(), x)[0]

    inputs = {"values near nought": rng.normal(3, 7), "values far from nought": rng.normal(2, 3, 5, std=4)}
    for name, x in inputs.items():
        with case(name):
            values, _ = parts(student.gelu(x), 2, hint="Values and slopes.")
            close(values, F.gelu(x), hint="The exact form, with erf of x over the root of two.")
    for name, x in {"slopes": rng.normal(4, 6), "slopes far from nought": rng.normal(9, std=3)}.items():
        with case(name):
            _, slopes = parts(student.gelu(x), 2, hint="Values and slopes.")
            close(slopes, slope(x), hint="The product rule: Phi, and x times the density.")

    hidden, width = rng.integer(5, 9), rng.integer(2, 5)
    tasks = {
        "the network, one token": (1, width),
        "the network, sequences": (2, 4, width),
        "the network, tokens in a map": (2, 3, 2, width),
    }
    for name, shape in tasks.items():
        x, w_1, b_1, w_2, b_2 = (rng.normal(*s) for s in (shape, (hidden, width), (hidden,), (width, hidden), (width,)))
        with case(name):
            found = student.feed_forward(x, w_1, b_1, w_2, b_2)
            expected = F.linear(F.gelu(F.linear(x, w_1, b_1)), w_2, b_2)
            close(found, expected, atol=1e-4, hint="Linear, GELU, linear; both layers have a bias.")


@question("layer_norm", without=("F.layer_norm",))
def layer_norm(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    width = rng.integer(3, 8)
    tasks = {  # shape, scale, eps
        "one token": ((width,), 1.0, 1e-5),
        "sequences": ((2, 5, width), 1.0, 1e-5),
        "small numbers": ((3, 4, 6), 1e-3, 1e-5),
    }
    hints = {
        "one token": "Divide by the number of values, and take the root.",
        "sequences": "Each token by itself, over the last axis.",
        "small numbers": "eps stands inside the root.",
    }
    for name, (shape, scale, eps) in tasks.items():
        x, weight, bias = scale * (rng.normal(*shape) + 1), rng.normal(shape[-1]), rng.normal(shape[-1])
        expected = F.layer_norm(x.double(), shape[-1:], weight.double(), bias.double(), eps).float()
        with case(f"LayerNorm: {name}"):
            close(student.layer_norm(x, weight, bias, eps), expected, atol=1e-4, hint=hints[name])
        mean_square = F.rms_norm(x.double(), shape[-1:], weight.double(), eps).float()
        with case(f"RMSNorm: {name}"):
            close(student.rms_norm(x, weight, eps), mean_square, atol=1e-4, hint=hints[name])

    given = rng.normal(2, 3, 6, mean=3.0), rng.normal(6), rng.normal(6)
    with case("the arguments keep their values"):
        found, after = student.after("layer_norm", *given)
        close(found, F.layer_norm(given[0], (6,), *given[1:]), atol=1e-4)
        unchanged(after, given)


NAMES = {"norm_1": "norm1", "norm_2": "norm2", "attention": "self_attn", "feed.0": "linear1", "feed.2": "linear2"}


@question("norm_placement")
def norm_placement(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def make(heads: int, width: int, hidden: int, pre_norm: bool) -> tuple[nn.Module, dict[str, Tensor]]:
        """torch's layer with random weights, and the same under the notebook's names."""
        torchs = nn.TransformerEncoderLayer(
            width, heads, hidden, 0.0, F.gelu, batch_first=True, norm_first=pre_norm, device="cpu"
        )
        for value in torchs.parameters():
            value.data = rng.normal(*value.shape) / 2
        own = {
            name.replace(theirs, mine, 1): value
            for name, value in torchs.state_dict().items()
            for mine, theirs in NAMES.items()
            if name.startswith(theirs + ".")
        }
        return torchs, own

    def ask(sizes: tuple[int, int, int], pre_norm: bool, x: Tensor, mask: Tensor | None) -> tuple[object, Tensor]:
        heads, width, hidden = sizes
        torchs, own = made[sizes, pre_norm]
        with torch.no_grad():
            expected = torchs(x, mask)
        block = student.Block(width, heads, hidden, pre_norm)
        that(isinstance(block, RemoteObject), "Block makes no module.")
        block.load_state(own)
        return (block(x) if mask is None else block(x, mask)), expected

    small, wide = (2, 6, 9), (rng.integer(1, 3), 4, 10)
    made = {(sizes, pre): make(*sizes, pre) for sizes in (small, wide) for pre in (True, False)}
    tokens = {small: rng.normal(2, 4, 6), wide: 3 * rng.normal(1, 5, 4) + 1}
    causal = torch.full((4, 4), -torch.inf).triu(1)
    for pre_norm, kind, hint in (
        (True, "pre-norm", "The part reads what was normalised; the shortcut stays as it is."),
        (False, "post-norm", "The sum of part and shortcut is normalised."),
    ):
        with case(f"{kind}"):
            found, expected = ask(small, pre_norm, tokens[small], None)
            close(found, expected, atol=1e-3, hint=hint)
        with case(f"{kind}, tokens far from mean nought"):
            found, expected = ask(wide, pre_norm, tokens[wide], None)
            close(found, expected, atol=1e-3, hint=hint)
        with case(f"{kind}, with a mask"):
            found, expected = ask(small, pre_norm, tokens[small], causal)
            close(found, expected, atol=1e-3, hint="The mask goes to the attention.")
