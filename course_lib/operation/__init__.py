"""What the operations share: which way a call takes and why, and how one becomes a torch operation.

operation.py      `Operation`: what a room says of itself (versions, dtypes), and the choice made from it
explanation.py    `Explanation`: what `explain=True` returns
registration.py   `register`: shapes, gradients and torch.compile for one function, in the namespace `course`
"""

from course_lib.operation.explanation import Explanation
from course_lib.operation.operation import Operation, Version, Way
from course_lib.operation.registration import NAMESPACE, Gradients, Needs, register

__all__ = ["NAMESPACE", "Explanation", "Gradients", "Needs", "Operation", "Version", "Way", "register"]
