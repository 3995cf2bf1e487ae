"""Network architectures, one family a file, which says what its networks take: `help(models.vgg16)`.

build(name, **arguments)            any of them by name, as checkpoints do
names()                             all that there are: published ones, small_... that the labs train, and MLP
attention_weights(model, *inputs)   what a transformer's attention looked at

small_x(num_classes=10, in_channels=3, width=) are for pictures of 32 x 32; small_bert, small_gpt, small_t5 for bytes.
A part (block=, shortcut=, attention=, norm=, activation=, shuffle=, ...) is a function that makes a module, so that
your own code can stand in its place; each default is torch's or torchvision's. Where torchvision has a network, its
weights can be loaded: parameters have the same names.
"""

import types

from course_lib.models.alexnet import *
from course_lib.models.attention_weights import *
from course_lib.models.bert import *
from course_lib.models.conv1d import *
from course_lib.models.densenet import *
from course_lib.models.efficientvit import *
from course_lib.models.flatformer import *
from course_lib.models.gpt import *
from course_lib.models.mlp import *
from course_lib.models.mobilenet_v1 import *
from course_lib.models.mobilenet_v2 import *
from course_lib.models.mobilenet_v3 import *
from course_lib.models.point_groups import *
from course_lib.models.recurrent import *
from course_lib.models.registry import build, names
from course_lib.models.relu_attention import *
from course_lib.models.resnet import *
from course_lib.models.resnext import *
from course_lib.models.senet import *
from course_lib.models.shufflenet_v1 import *
from course_lib.models.shufflenet_v2 import *
from course_lib.models.squeezenet import *
from course_lib.models.swin import *
from course_lib.models.t5 import *
from course_lib.models.transformer_layer import TorchAttention, TransformerLayer
from course_lib.models.vgg import *
from course_lib.models.vit import *

# what the families list as theirs, without the files that hold it
__all__ = sorted(
    name for name, value in globals().items() if not (name.startswith("_") or isinstance(value, types.ModuleType))
)
