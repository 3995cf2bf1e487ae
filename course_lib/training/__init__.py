"""Training, measuring accuracy, and trained weights.

fit(model, train, test, epochs=...)     train in place; returns a History with `.plot()` and `.last()`
evaluate(model, labelled)               loss and accuracy
flip_and_shift(images, generator)       a random change of training images, for fit(augment=...)
fit_pairs(model, images, view, loss, epochs=...)    train on two views of every image, without labels
move_at_random, recolour                random views of images, for fit_pairs(view=...)
features_of(encoder, images)            an encoder's outputs
linear_probe(features, labels, ...)     what they are worth: accuracy of a linear classifier on them
load(name)                              a trained network: "shapes_resnet"
save(model, name, Checkpoint(...), folder), entries(folder)     your own checkpoints
recipe_names(), reproduce(name, folder)     train a checkpoint of the course again
"""

from course_lib.training.augment import flip_and_shift
from course_lib.training.checkpoints import Checkpoint, entries, load, save
from course_lib.training.evaluate import Evaluation, evaluate
from course_lib.training.fit import fit
from course_lib.training.history import Epoch, History
from course_lib.training.pairs import fit_pairs
from course_lib.training.probe import features_of, linear_probe
from course_lib.training.recipes import TOLERANCE, recipe_names, reproduce
from course_lib.training.views import move_at_random, recolour

__all__ = [
    "TOLERANCE",
    "Checkpoint",
    "Epoch",
    "Evaluation",
    "History",
    "entries",
    "evaluate",
    "features_of",
    "fit",
    "fit_pairs",
    "flip_and_shift",
    "linear_probe",
    "load",
    "move_at_random",
    "recipe_names",
    "recolour",
    "reproduce",
    "save",
]
