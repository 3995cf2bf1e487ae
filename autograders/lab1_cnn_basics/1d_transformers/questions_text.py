"""1d: tokens, their vectors, and the families. Oracles: replacement in strings, and loops."""

from __future__ import annotations

import math
import re

import torch
from torch import Tensor

from autograders.engine.asking.comparison import close, equal, parts, that, unchanged
from autograders.engine.asking.inputs import Inputs
from autograders.engine.asking.question import Cases, question
from autograders.engine.asking.reference import Reference
from autograders.engine.asking.remote import Student


def as_letters(text: bytes) -> str:
    """One letter for each token: token t is the letter number t, so that replacing strings replaces tokens."""
    return text.decode("latin-1")


def merges_by_text(text: bytes, count: int) -> list[tuple[int, int]]:
    """Byte-pair encoding by regular expressions and str.replace."""
    letters, merges = as_letters(text), []
    for new in range(256, 256 + count):
        pairs = dict.fromkeys(letters[place : place + 2] for place in range(len(letters) - 1))
        times = {pair: len(re.findall(f"(?={re.escape(pair)})", letters, re.DOTALL)) for pair in pairs}
        best = next((pair for pair in pairs if times[pair] == max(times.values())), None)
        if best is None or times[best] < 2:
            break
        merges.append((ord(best[0]), ord(best[1])))
        letters = letters.replace(best, chr(new))
    return merges


def tokens_by_text(text: bytes, merges: list[tuple[int, int]]) -> list[int]:
    letters = as_letters(text)
    for new, (left, right) in enumerate(merges, start=256):
        letters = letters.replace(chr(left) + chr(right), chr(new))
    return [ord(letter) for letter in letters]


def as_pairs(answer: object) -> object:
    """The student's list, each pair as a tuple whether it came as a list or a tuple."""
    if not isinstance(answer, (list, tuple)):
        return answer
    return [tuple(pair) if isinstance(pair, list) else pair for pair in answer]


@question("bpe_merges")
def bpe_merges(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    word, other = rng.text(4, "mnopqr"), rng.text(3, "stuvw")
    tasks = {  # text, merges at most
        "a single merge": (f"{word}{other}{word}".encode() * 2, 1),
        "two letters in random order": (rng.text(40, "ab").encode(), 6),
        "words that repeat": (" ".join((word, other, word, other + word, word)).encode(), 8),
        "runs of one letter": (b"".join(rng.text(1, "xyz").encode() * rng.integer(2, 7) for _ in range(8)), 5),
        "many pairs equally frequent": (bytes(range(97, 97 + 12)) * 2 + bytes(rng.permutation(12).add(97).tolist()), 4),
        "fewer merges than asked for": (rng.text(9, "cde").encode(), 50),
        "bytes above the letters": (bytes(rng.integers(250, 256, 40).tolist()), 6),
    }
    hints = {
        "a single merge": "The pair that occurs most often.",
        "words that repeat": "Count anew after each merge, merged tokens included.",
        "runs of one letter": "Pairs that overlap count.",
        "many pairs equally frequent": "Of equally frequent pairs, the first in the text.",
        "fewer merges than asked for": "No pair that occurs once is merged.",
    }
    for name, (text, count) in tasks.items():
        with case(name):
            equal(as_pairs(student.learn_merges(text, count)), merges_by_text(text, count), hint=hints.get(name, ""))


@question("bpe_encode")
def bpe_encode(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    text = " ".join(rng.text(rng.integer(2, 5), "abc") for _ in range(20)).encode()
    merges = merges_by_text(text, 15)
    new = " ".join(rng.text(rng.integer(2, 6), "abc") for _ in range(6)).encode()
    tokens = tokens_by_text(new, merges)
    with case("tokens of a new text"):
        equal(student.encode_text(new, merges), tokens, hint="Replay the merges in the order they were learned.")
    with case("the text from tokens"):
        equal(student.decode_text(tokens, merges), new, hint="A merged token is its two parts, down to the bytes.")
    a, b, c = (97 + rng.permutation(26)[:3]).tolist()
    rivals = [(b, c), (a, b), (a, 256), (257, c)]
    with case("merges that compete for a letter"):
        text = bytes([a, b, c, a, b, a, b, c, c])
        equal(student.encode_text(text, rivals), tokens_by_text(text, rivals), hint="The earlier merge wins.")
    with case("runs of one letter"):
        runs = [(a, a), (256, 256), (257, a)]
        text = bytes([a] * rng.integer(5, 12) + [b] + [a] * 3)
        equal(student.encode_text(text, runs), tokens_by_text(text, runs), hint="A token is used once.")
    with case("bytes that are no text"):
        raw = bytes(rng.integers(0, 256, 30).tolist()) + bytes([255, 254] * 3)
        pairs = [(255, 254), (256, 256)]
        equal(student.encode_text(raw, pairs), tokens_by_text(raw, pairs), hint="Every byte counts.")
        equal(student.decode_text(tokens_by_text(raw, pairs), pairs), raw)
    with case("every token alone"):
        spelled = {256: bytes([a, b]), 257: bytes([a, b, c]), 258: bytes([a, b, c, a, b])}
        for token, letters in spelled.items():
            equal(student.decode_text([token], [(a, b), (256, c), (257, 256)]), letters)


@question("embeddings")
def embeddings(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def expected(tokens: Tensor, table: Tensor) -> Tensor:
        width = table.shape[1]
        out = math.sqrt(width) * table.double()[tokens]
        for p in range(tokens.shape[1]):
            for i in range(width // 2):
                angle = p / 10000 ** (2 * i / width)
                out[:, p, 2 * i] += math.sin(angle)
                out[:, p, 2 * i + 1] += math.cos(angle)
        return out.float()

    vocabulary = rng.integer(5, 9)
    tasks = {  # tokens, table
        "waves alone": (rng.integers(0, vocabulary, 1, 6), torch.zeros(vocabulary, 2 * rng.integer(3, 6))),
        "a single token": (rng.integers(0, vocabulary, 1, 1), rng.normal(vocabulary, 2 * rng.integer(2, 5))),
        "width of two": (rng.integers(0, vocabulary, 2, 5), rng.normal(vocabulary, 2)),
        "several sequences": (rng.integers(0, vocabulary, 3, 7), rng.normal(vocabulary, 8)),
        "one word again and again": (torch.full((2, 5), rng.integer(0, vocabulary)), rng.normal(vocabulary, 6)),
        "a long sequence": (rng.integers(0, vocabulary, 1, rng.integer(60, 90)), rng.normal(vocabulary, 16)),
    }
    hints = {
        "waves alone": "Sine and cosine take turns; each pair of places has a frequency of its own.",
        "a single token": "The first position is that of angle nought, and words are scaled.",
    }
    for name, (tokens, table) in tasks.items():
        with case(name):
            close(student.embed_tokens(tokens, table), expected(tokens, table), atol=2e-4, hint=hints.get(name, ""))

    tokens, table = rng.integers(0, 7, 2, 4), rng.normal(7, 4)
    with case("the arguments keep their values"):
        found, after = student.after("embed_tokens", tokens, table)
        close(found, expected(tokens, table), atol=2e-4)
        unchanged(after, (tokens, table))


@question("family_masks")
def family_masks(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def real(lengths: list[int], longest: int) -> Tensor:
        return torch.arange(longest) < torch.tensor(lengths)[:, None]

    def table(rows: int, seen: Tensor, causal: bool) -> Tensor:
        allowed = [
            [[bool(seen[n, j]) and (j <= i or not causal) for j in range(seen.shape[1])] for i in range(rows)]
            for n in range(len(seen))
        ]
        return torch.tensor(allowed)

    def mask(answer: object, name: str, count: int) -> object:
        that(isinstance(answer, dict) and len(answer) == count, "The answer is no dict of the family's masks.")
        return answer.get(name)

    longest, rows = rng.integer(4, 7), rng.integer(3, 6)
    source = real([longest, rng.integer(1, longest), 2], longest)
    target = real([rng.integer(1, rows), rows, 1], rows)
    holes = source & torch.tensor([True] * (longest - 2) + [False, True])
    with case("an encoder"):
        found = mask(student.family_masks("encoder", source=source), "source", 1)
        equal(found, table(longest, source, False), hint="Each sees all that is real, later tokens too.")
    with case("an encoder, padding before the end"):
        found = mask(student.family_masks("encoder", source=holes), "source", 1)
        equal(found, table(longest, holes, False), hint="Columns are what is seen.")
    with case("a decoder"):
        found = mask(student.family_masks("decoder", target=target), "target", 1)
        equal(found, table(rows, target, True), hint="Itself and what comes before, without padding.")
    with case("a decoder without padding"):
        full = torch.ones(2, rows + 1, dtype=torch.bool)
        found = mask(student.family_masks("decoder", target=full), "target", 1)
        equal(found, table(rows + 1, full, True), hint="True may be seen.")
    answers = {"source": (longest, source, False), "target": (rows, target, True), "cross": (rows, source, False)}
    hints = {"cross": "Each row sees all of its source, in any order, without padding."}
    for name, (count, seen, causal) in answers.items():
        with case(f"an encoder-decoder: {name}"):
            found = mask(student.family_masks("encoder-decoder", source, target), name, 3)
            equal(found, table(count, seen, causal), hint=hints.get(name, ""))


@question("family_objectives")
def family_objectives(student: Student, reference: Reference, rng: Inputs, case: Cases) -> None:
    def both(answer: object, inputs: int) -> tuple[tuple, object]:
        given, targets = parts(answer, 2, hint="Inputs and targets.")
        return parts(given, inputs, hint="The inputs are a tuple."), targets

    def listed(rows: list[list[int]]) -> Tensor:
        return torch.tensor(rows, dtype=torch.int64)

    length = rng.integer(5, 9)
    tokens = rng.integers(0, 256, 3, length)
    rows = tokens.tolist()
    with case("what a decoder reads"):
        (inputs,), _ = both(student.training_pair("decoder", tokens), 1)
        equal(inputs, listed([row[:-1] for row in rows]), hint="All tokens but the last.")
    with case("what a decoder predicts"):
        _, targets = both(student.training_pair("decoder", tokens), 1)
        equal(targets, listed([row[1:] for row in rows]), hint="Each place predicts the token after it.")
    hidden = rng.uniform(3, length) < 0.4
    hidden[0, 0], hidden[0, 1] = True, False
    signs = hidden.tolist()
    with case("what an encoder reads"):
        (inputs,), _ = both(student.training_pair("encoder", tokens, hidden=hidden), 1)
        expected = [[256 if h else t for t, h in zip(*pair, strict=True)] for pair in zip(rows, signs, strict=True)]
        equal(inputs, listed(expected), hint="Hidden tokens are replaced.")
    with case("what an encoder fills in"):
        _, targets = both(student.training_pair("encoder", tokens, hidden=hidden), 1)
        expected = [[t if h else -100 for t, h in zip(*pair, strict=True)] for pair in zip(rows, signs, strict=True)]
        equal(targets, listed(expected), hint="Only hidden places count.")
    split = rng.integer(2, length - 1)
    with case("what an encoder-decoder reads"):
        (source, inputs), _ = both(student.training_pair("encoder-decoder", tokens, split=split), 2)
        equal(source, listed([row[:split] for row in rows]), hint="The source comes first.")
        equal(inputs, listed([[256, *row[split:-1]] for row in rows]), hint="Its decoder is one place behind.")
    with case("what an encoder-decoder predicts"):
        _, targets = both(student.training_pair("encoder-decoder", tokens, split=split), 2)
        equal(targets, listed([row[split:] for row in rows]), hint="All that comes after the source.")
    with case("a target of one token"):
        (_, inputs), targets = both(student.training_pair("encoder-decoder", tokens, split=length - 1), 2)
        equal(inputs, torch.full((3, 1), 256), hint="Only the token that starts a target.")
        equal(targets, listed([row[-1:] for row in rows]))
    with case("the tokens keep their values"):
        answer, after = student.after("training_pair", "encoder", tokens, hidden)
        both(answer, 1)
        unchanged(after[1:], (tokens, hidden))
        equal(both(answer, 1)[0][0][hidden], torch.full((int(hidden.sum()),), 256))
