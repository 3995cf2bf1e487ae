"""Network architectures, one family per file.

MLP(sizes)                              fully connected layers
resnet18, 34, 50, 101, 152              ResNets for ImageNet
resnet20, 32, 44, 56, 110               ResNets for CIFAR-10
resnext50_32x4d, resnext101_32x8d       ResNets with grouped bottlenecks
se_resnet50, se_resnet101,              ResNets with squeeze-and-excitation: attention=
    se_resnext50_32x4d
alexnet, alexnet_2012                   torchvision's, and the original in two groups
vgg11, 13, 16, 19, each also with _bn   3x3 convolutions and pooling
densenet121, 169, 201                   layers that read all before them
squeezenet1_0, squeezenet1_1            fire modules: block=
mobilenet_v1(width=), mobilenet_v2      depthwise separable convolutions, inverted bottlenecks: block=, rounded=
mobilenet_v3_large, mobilenet_v3_small  activation=, attention=, block=, rounded=
shufflenet_v1(groups=, scale=),         grouped 1x1 convolutions, split units: shuffle=
    shufflenet_v2_x0_5, x1_0, x1_5, x2_0
small_resnet, small_resnext,            for pictures of 32 x 32, which the labs train: small_x(num_classes=10,
    small_se_resnet, small_alexnet,     in_channels=3, width=); they take the same parts as their families:
    small_vgg, small_densenet,          small_resnet block= and shortcut=, small_vgg norm=
    small_squeezenet, small_mobilenet_v1,
    small_mobilenet_v2, small_mobilenet_v3,
    small_shufflenet_v1, small_shufflenet_v2
vit_b_16, swin_t, efficientvit_b1, ...  transformers for pictures; small_vit, small_swin, small_efficientvit
bert_base, gpt2, t5_small               transformers for text; small_bert, small_gpt, small_t5 read bytes
lstm_language_model, gru_..., conv_...  what was there before transformers: language models and classifiers
small_flatformer, group_points          attention in equal groups of sparse points
attention_maps(model, *inputs)          what a transformer's attention looked at
build(name, **arguments)                any of them by name, as checkpoints do

A part is a function that makes a module, so that your own code can stand in its place; each default is torch's or
torchvision's. [N, C, H, W] stands for the shape it takes:

block=      small_resnet: (inputs, width, stride, shortcut); shortcut is a module or None; the block adds it. Its
                attribute `expansion` (1 if it has none) says how many times `width` channels it puts out
            squeezenet*: (inputs, squeeze, expand1x1, expand3x3), puts out expand1x1 + expand3x3 channels
            mobilenet_v1: (inputs, outputs, stride)
            mobilenet_v2: (inputs, outputs, stride, expand_ratio)
            mobilenet_v3*: (inputs, outputs, stride, kernel, expanded, attention, activation)
shortcut=   (inputs, outputs, stride), puts out [N, outputs, H/stride, W/stride]
attention=  se_*: (channels); mobilenet_v3*: (channels, squeezed); both keep the shape
shuffle=    (groups), keeps the shape
activation= (), keeps the shape
norm=       small_vgg: (channels), keeps the shape; None for no normalisation
            transformers: (width), keeps the shape [..., width]
attention=  small_vit, small_bert, small_gpt, small_t5, small_flatformer: (width, heads), called as
                (query [N, L, width], key [N, S, width], value, mask); the mask is None or is added to the scores
window_attention=  small_swin: (width, heads, window, shift), keeps the shape [N, H, W, width]
linear_attention=  small_efficientvit: itself called as (q, k, v), each [N, heads, tokens, dim]; keeps the shape
rounded=    (channels, a float) to a whole number, which mobilenets' `width` multiplier needs
Where torchvision has a network, its weights can be loaded: parameters have the same names.
"""

from course_lib.models.alexnet import alexnet, alexnet_2012, small_alexnet
from course_lib.models.attention_maps import attention_maps
from course_lib.models.bert import Bert, BertClassifier, BertConfig, BertMasked, BertOutput, bert_base, small_bert
from course_lib.models.conv1d import CausalConvNet, ConvClassifier, conv_classifier, conv_language_model
from course_lib.models.densenet import densenet121, densenet169, densenet201, small_densenet
from course_lib.models.efficientvit import (
    EfficientViT,
    efficientvit_b0,
    efficientvit_b1,
    efficientvit_b2,
    efficientvit_b3,
    small_efficientvit,
)
from course_lib.models.flatformer import FlatFormer, FlatFormerLayer, small_flatformer
from course_lib.models.gpt import Gpt, GptConfig, gpt2, small_gpt
from course_lib.models.mlp import MLP
from course_lib.models.mobilenet_v1 import mobilenet_v1, small_mobilenet_v1
from course_lib.models.mobilenet_v2 import mobilenet_v2, small_mobilenet_v2
from course_lib.models.mobilenet_v3 import mobilenet_v3_large, mobilenet_v3_small, small_mobilenet_v3
from course_lib.models.point_groups import Groups, group_points
from course_lib.models.recurrent import (
    RecurrentClassifier,
    RecurrentLanguageModel,
    gru_classifier,
    gru_language_model,
    lstm_classifier,
    lstm_language_model,
)
from course_lib.models.registry import build, names
from course_lib.models.relu_attention import relu_attention
from course_lib.models.resnet import (
    ResNet,
    resnet18,
    resnet20,
    resnet32,
    resnet34,
    resnet44,
    resnet50,
    resnet56,
    resnet101,
    resnet110,
    resnet152,
    small_resnet,
)
from course_lib.models.resnext import resnext50_32x4d, resnext101_32x8d, small_resnext
from course_lib.models.senet import se_resnet50, se_resnet101, se_resnext50_32x4d, small_se_resnet
from course_lib.models.shufflenet_v1 import shufflenet_v1, small_shufflenet_v1
from course_lib.models.shufflenet_v2 import (
    shufflenet_v2_x0_5,
    shufflenet_v2_x1_0,
    shufflenet_v2_x1_5,
    shufflenet_v2_x2_0,
    small_shufflenet_v2,
)
from course_lib.models.squeezenet import small_squeezenet, squeezenet1_0, squeezenet1_1
from course_lib.models.swin import SwinTransformer, small_swin, swin_s, swin_t
from course_lib.models.t5 import T5, T5Config, small_t5, t5_small
from course_lib.models.transformer_layer import TorchAttention, TransformerLayer
from course_lib.models.vgg import small_vgg, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from course_lib.models.vit import VisionTransformer, small_vit, vit_b_16, vit_b_32, vit_l_16

__all__ = [
    "MLP",
    "T5",
    "Bert",
    "BertClassifier",
    "BertConfig",
    "BertMasked",
    "BertOutput",
    "CausalConvNet",
    "ConvClassifier",
    "EfficientViT",
    "FlatFormer",
    "FlatFormerLayer",
    "Gpt",
    "GptConfig",
    "Groups",
    "RecurrentClassifier",
    "RecurrentLanguageModel",
    "ResNet",
    "SwinTransformer",
    "T5Config",
    "TorchAttention",
    "TransformerLayer",
    "VisionTransformer",
    "alexnet",
    "alexnet_2012",
    "attention_maps",
    "bert_base",
    "build",
    "conv_classifier",
    "conv_language_model",
    "densenet121",
    "densenet169",
    "densenet201",
    "efficientvit_b0",
    "efficientvit_b1",
    "efficientvit_b2",
    "efficientvit_b3",
    "gpt2",
    "group_points",
    "gru_classifier",
    "gru_language_model",
    "lstm_classifier",
    "lstm_language_model",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "names",
    "relu_attention",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "se_resnet50",
    "se_resnet101",
    "se_resnext50_32x4d",
    "shufflenet_v1",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
    "small_alexnet",
    "small_bert",
    "small_densenet",
    "small_efficientvit",
    "small_flatformer",
    "small_gpt",
    "small_mobilenet_v1",
    "small_mobilenet_v2",
    "small_mobilenet_v3",
    "small_resnet",
    "small_resnext",
    "small_se_resnet",
    "small_shufflenet_v1",
    "small_shufflenet_v2",
    "small_squeezenet",
    "small_swin",
    "small_t5",
    "small_vgg",
    "small_vit",
    "squeezenet1_0",
    "squeezenet1_1",
    "swin_s",
    "swin_t",
    "t5_small",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "vit_b_16",
    "vit_b_32",
    "vit_l_16",
]
