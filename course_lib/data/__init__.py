"""Data sets of the course, as tensors in memory. All but CIFAR-10 work offline.

    digits()     1,797 real scans of handwritten digits, 8x8, grey
    shapes()     procedural 32x32 colour scenes of ten figures, as many as you ask for
    cifar10()    60,000 photographs, 32x32, colour; read if present, downloaded if you say so
    code_text()  the Python standard library's source as bytes

The first three return `Splits(train, test)` of `Labelled` images: float32 [N, C, H, W] from 0 to 1, labels int64 [N].
"""

from course_lib.data.cifar10 import cifar10
from course_lib.data.code_text import Text, TextSplits, code_text
from course_lib.data.digits import digits
from course_lib.data.labelled import Labelled, Splits
from course_lib.data.shapes import shapes

__all__ = ["Labelled", "Splits", "Text", "TextSplits", "cifar10", "code_text", "digits", "shapes"]
