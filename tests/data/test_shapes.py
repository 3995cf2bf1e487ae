import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from course_lib import data
from course_lib.data.canvas import Canvas, Pose
from course_lib.data.figures import FIGURES, NAMES
from course_lib.data.stream import Stream

SIZE = 32


def digest(part):
    return hashlib.sha256(part.images.numpy().tobytes() + part.labels.numpy().tobytes()).hexdigest()


@pytest.fixture(scope="module")
def splits():
    return data.shapes(train=500, test=250)


def test_shapes_and_units(splits):
    assert splits.train.images.shape == (500, 3, SIZE, SIZE)
    assert splits.train.images.dtype == torch.float32
    assert splits.train.classes == NAMES
    levels = splits.train.images * 255
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
    assert splits.train.images.min() == 0 and splits.train.images.max() == 1


@pytest.mark.parametrize(
    ("arguments", "train", "test"),
    [
        (
            {},
            "01019e96d01081dc4fe238746e8d62b886b6ae5a19f77441caf13ec940300e9f",
            "c981cd9fa8600790110b778e44c4cd516b55f6c2a92fa4f36f8476cf4096f192",
        ),
        (
            {"seed": 1},
            "e753038989420f6c736a7443f1a96e26c2984f0e08bfc8e781a7a163c5bfbbde",
            "cf4ad0d9a76a10093b5c9ae46ade17cbb32cf1ee91d006444b74a51a40e2c9db",
        ),
        (
            {"size": 17},
            "96c19f7c90d7a92036de38e01fa65ab8d3bf99e0cbd43cff640d7b9abfc887e2",
            "54114095d0c9a9096592db991ef3abd04b122ae32a1cd21ea833b28c7301593e",
        ),
    ],
)
def test_bits_for_a_seed(arguments, train, test):
    """Pinned: notebooks and checkpoints expect these very scenes. A change here is a new data set."""
    splits = data.shapes(train=250, test=250, **arguments)
    assert (digest(splits.train), digest(splits.test)) == (train, test)


def test_bits_do_not_depend_on_the_processors_vector_units(splits):
    """NumPy without any of the instruction sets that it would choose by processor."""
    features = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    code = """
import hashlib
from course_lib import data
part = data.shapes(train=500, test=0).train
print(hashlib.sha256(part.images.numpy().tobytes() + part.labels.numpy().tobytes()).hexdigest())
"""
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(features)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(splits.train)


def test_more_scenes_keep_the_first(splits):
    fewer = data.shapes(train=260, test=0)
    assert torch.equal(fewer.train.images, splits.train.images[:260])
    assert torch.equal(fewer.train.labels, splits.train.labels[:260])
    assert len(fewer.test) == 0


def test_classes_are_balanced_in_every_250(splits):
    for start in (0, 250):
        assert torch.bincount(splits.train.labels[start : start + 250]).tolist() == [25] * 10


def test_no_scene_stands_in_both_parts_or_twice(splits):
    scenes = [image.tobytes() for part in (splits.train, splits.test) for image in part.images.numpy()]
    assert len(set(scenes)) == 750


def test_train_and_test_are_unrelated(splits):
    """Scene i of one part tells nothing about scene i of the other, although both come from one seed."""
    train, test = (part.images[:250].flatten(1) for part in (splits.train, splits.test))
    train, test = train - train.mean(0), test - test.mean(0)
    similarity = torch.nn.functional.cosine_similarity(train, test).mean()
    assert abs(similarity) < 0.05


def test_neither_colour_nor_brightness_gives_the_class_away(splits):
    """A nearest-class-mean guess from the mean colour stays near chance (10%)."""
    colours = splits.train.images.mean((2, 3))
    means = torch.stack([colours[splits.train.labels == label].mean(0) for label in range(10)])
    guesses = torch.cdist(splits.test.images.mean((2, 3)), means).argmin(1)
    assert (guesses == splits.test.labels).float().mean() < 0.2


def test_main_figure_is_where_the_class_says():
    """With all else still, the pixels a figure covers are those inside its signed distance."""
    n = len(NAMES)
    zeros, ones = np.zeros(n, np.float32), np.ones(n, np.float32)
    pose = Pose(x=zeros, y=zeros, radius=ones * 0.75, stretch=ones, turn=np.zeros(n, np.int64))
    canvas = Canvas(n, 64)
    canvas.add(np.arange(n), pose, np.ones((n, 3, 1, 1), np.float32))
    centres = (np.arange(64) * 2 + 1) / 64 - 1
    x, y = np.meshgrid(centres.astype(np.float32), centres.astype(np.float32))
    for index, name in enumerate(NAMES):
        distance = FIGURES[name](x / np.float32(0.75), y / np.float32(0.75)) * 0.75 * 32  # in pixels
        assert (canvas.image[index, 0][distance < -0.6] == 1).all()
        assert (canvas.image[index, 0][distance > 0.6] == 0).all()
        assert ((canvas.image[index, 0] > 0) & (canvas.image[index, 0] < 1)).any()  # a soft outline


@pytest.mark.parametrize(("turn", "side"), [(0, "top"), (128, "right"), (256, "bottom"), (384, "left")])
def test_a_quarter_turn_moves_the_arrow_head(turn, side):
    one = np.ones(1, np.float32)
    pose = Pose(x=one * 0, y=one * 0, radius=one * 0.8, stretch=one, turn=np.array([turn]))
    canvas = Canvas(1, 40)
    canvas.add(np.array([NAMES.index("arrow")]), pose, np.ones((1, 3, 1, 1), np.float32))
    image = canvas.image[0, 0]
    rows, columns = np.nonzero(image > 0.5)
    halves = {
        "top": image[:20].sum(),
        "bottom": image[20:].sum(),
        "left": image[:, :20].sum(),
        "right": image[:, 20:].sum(),
    }
    assert max(halves, key=halves.get) == side
    assert rows.size and columns.size


def test_in_some_scenes_the_hiding_object_is_absent():
    stream = Stream(0)
    main = Pose.draw(stream, 2000, spread=0.2, radius=(0.4, 0.7))
    hiding = main.on_outline(stream, share=0.75, relative_size=(0.3, 0.8))
    outside = hiding.x > 2
    assert abs(outside.mean() - 0.25) < 0.03
    centre_distance = np.hypot(hiding.x - main.x, hiding.y - main.y)[~outside]
    np.testing.assert_allclose(centre_distance, 0.8 * main.radius[~outside], rtol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"size": 7}, "at least 8, not 7"),
        ({"train": -1}, "0 or more scenes, not -1 and 1000"),
        ({"test": -2}, "0 or more scenes, not 4000 and -2"),
    ],
)
def test_refusals(arguments, words):
    with pytest.raises(ValueError, match=words):
        data.shapes(**arguments)
