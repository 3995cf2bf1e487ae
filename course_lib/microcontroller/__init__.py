"""Networks on microcontrollers: what fits, where every byte lies, and C code that computes in whole numbers.

network = microcontroller.describe_digit_reader()
model = microcontroller.FloatNetwork(network)             # train it
small = microcontroller.to_int8(model, images)
schedule = microcontroller.Schedule(network, patches=microcontroller.PatchStage(network, 3, (2, 2)))
program = microcontroller.generate(small, schedule)       # C source and a planned arena
microcontroller.CompiledNetwork(program)(image)
"""

from course_lib.microcontroller.allocations import watch_allocations
from course_lib.microcontroller.arrange import Arrangement, arrange
from course_lib.microcontroller.boards import BOARDS, Board, Fit, fit_on
from course_lib.microcontroller.buffers import Buffer
from course_lib.microcontroller.chain import Chain
from course_lib.microcontroller.compiled import CompiledNetwork
from course_lib.microcontroller.digit_reader import describe_digit_reader
from course_lib.microcontroller.float_network import FloatNetwork
from course_lib.microcontroller.generate import GeneratedC, generate
from course_lib.microcontroller.int8_network import Int8Layer, Int8Network
from course_lib.microcontroller.interpreter import interpret, interpret_all
from course_lib.microcontroller.mobilenet import describe_mobilenet_v2
from course_lib.microcontroller.network import Layer, Network
from course_lib.microcontroller.patches import PatchStage, Window
from course_lib.microcontroller.schedule import Schedule
from course_lib.microcontroller.to_int8 import to_int8

__all__ = [
    "BOARDS",
    "Arrangement",
    "Board",
    "Buffer",
    "Chain",
    "CompiledNetwork",
    "Fit",
    "FloatNetwork",
    "GeneratedC",
    "Int8Layer",
    "Int8Network",
    "Layer",
    "Network",
    "PatchStage",
    "Schedule",
    "Window",
    "arrange",
    "describe_digit_reader",
    "describe_mobilenet_v2",
    "fit_on",
    "generate",
    "interpret",
    "interpret_all",
    "to_int8",
    "watch_allocations",
]
