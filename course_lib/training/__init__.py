"""Training, measuring accuracy, and trained weights.

fit(model, train, test, epochs=...)     train in place; returns a History with `.plot()` and `.last()`
evaluate(model, labelled)               loss and accuracy
flip_and_shift(images, generator)       a random change of training images, for fit(augment=...)
load(name)                              a trained network: "shapes_resnet"
save(model, name, Checkpoint(...), folder), entries(folder)     your own checkpoints
recipe_names(), reproduce(name, folder)     train a checkpoint of the course again
"""

from course_lib.training.augment import flip_and_shift
from course_lib.training.checkpoints import Checkpoint, entries, load, save
from course_lib.training.evaluate import Evaluation, evaluate
from course_lib.training.fit import fit
from course_lib.training.history import Epoch, History
from course_lib.training.recipes import TOLERANCE, recipe_names, reproduce

__all__ = [
    "TOLERANCE",
    "Checkpoint",
    "Epoch",
    "Evaluation",
    "History",
    "entries",
    "evaluate",
    "fit",
    "flip_and_shift",
    "load",
    "recipe_names",
    "reproduce",
    "save",
]
