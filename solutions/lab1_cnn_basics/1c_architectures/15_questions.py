# %% [markdown]
# ## 15. Questions
#
# Answer in a few sentences, with numbers where they help.

# %% [markdown] question="choose_network" points=3 topics="efficiency_counts, latency_energy"
# **Question 1.** A battery-powered camera has a chip with 1 MB of SRAM, 4 MB of flash and an int8 multiplier.
# It must sort photographs of 160x160 pixels. Somebody proposes SqueezeNet 1.1, "because it has the fewest
# parameters". Which three numbers do you ask for before you agree, and what would you propose instead? Argue
# with the numbers of this notebook.
#
# ### BEGIN SOLUTION
# Parameters decide only whether the file fits into flash: 4 MB hold 4 million int8 weights, so SqueezeNet
# (1.2 M), MobileNetV2 (3.5 M), MobileNetV3-Small (2.5 M) and ShuffleNetV2 1x (2.3 M) all fit, ResNet-18 (11.7
# M) does not. To ask for: (1) peak activations, since input and output of a layer (plus a shortcut's map)
# must fit into 1 MB of SRAM together: MobileNetV2 at 160x160 expands 16 to 96 channels at 80x80, 614 kB in
# int8, which fits with its input if little else is kept; (2) accuracy at that size: SqueezeNet reaches 58% on
# ImageNet, the others 68 to 72%; (3) measured latency or energy on the chip: SqueezeNet 1.1 takes 349 million
# MACs at 224x224, MobileNetV3-Small 57 million, ShuffleNetV2 1x 145 million, and energy follows the MACs and
# the bytes that are moved. So: MobileNetV3-Small or ShuffleNetV2 (or a MobileNetV2 with a width below 1), in
# int8, with batch normalisation folded; the h-swish should be supported by the chip. Full marks for another
# choice that fits both memories and is argued with accuracy and energy, not with parameters alone.
# ### END SOLUTION

# %% [markdown] question="read_a_claim" points=2 topics="depthwise_separable, latency_energy"
# **Question 2.** A paper replaces ResNet-18's 3x3 convolutions by inverted bottlenecks and reports "6 times
# fewer FLOPs at the same accuracy, therefore 6 times faster". Name two reasons why the time may fall by less,
# one why the memory in use may even grow, and say what you would plot to settle the matter.
#
# ### BEGIN SOLUTION
# Time: (1) depthwise layers do about one MAC per byte and are limited by memory, not by arithmetic: their
# rate was several times lower than that of dense 3x3 layers; (2) there are three layers instead of one, each
# with a normalisation and an activation that pass over a map again (folding removes part of it), and small
# layers have a fixed cost for each call. (Also good: libraries have better kernels for dense 3x3, such as
# Winograd; FLOP and MACs may have been mixed up.) Memory: the expanded map has t = 6 times the channels of
# the block's input, so the peak of input plus output of one layer can be larger than in the original block,
# although the maps between blocks are narrow. Plot: measured latency (median and spread, target device, batch
# size 1) of both networks against accuracy, and a roofline of their layers, which shows which of them are
# bound by memory.
# ### END SOLUTION

# %% [markdown]
# ## Read more
#
# - Ioffe, Szegedy: *Batch Normalization*, ICML 2015, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167);
#   and Santurkar et al.: *How Does Batch Normalization Help Optimization?*, NeurIPS 2018,
#   [arXiv:1805.11604](https://arxiv.org/abs/1805.11604), which doubts the first paper's reason.
# - Yang et al.: *A Mean Field Theory of Batch Normalization*, ICLR 2019,
#   [arXiv:1902.08129](https://arxiv.org/abs/1902.08129). Why gradients explode without shortcuts.
# - Krizhevsky, Sutskever, Hinton: *ImageNet Classification with Deep Convolutional Neural Networks*, NIPS
#   2012. AlexNet.
# - Simonyan, Zisserman: *Very Deep Convolutional Networks*, ICLR 2015,
#   [arXiv:1409.1556](https://arxiv.org/abs/1409.1556).
# - He, Zhang, Ren, Sun: *Deep Residual Learning*, CVPR 2016,
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385).
# - Iandola et al.: *SqueezeNet*, 2016, [arXiv:1602.07360](https://arxiv.org/abs/1602.07360).
# - Xie et al.: *Aggregated Residual Transformations* (ResNeXt), CVPR 2017,
#   [arXiv:1611.05431](https://arxiv.org/abs/1611.05431).
# - Huang et al.: *Densely Connected Convolutional Networks*, CVPR 2017,
#   [arXiv:1608.06993](https://arxiv.org/abs/1608.06993).
# - Howard et al.: *MobileNets*, 2017, [arXiv:1704.04861](https://arxiv.org/abs/1704.04861); Sandler et al.:
#   *MobileNetV2*, CVPR 2018, [arXiv:1801.04381](https://arxiv.org/abs/1801.04381); Howard et al.: *Searching
#   for MobileNetV3*, ICCV 2019, [arXiv:1905.02244](https://arxiv.org/abs/1905.02244).
# - Hu, Shen, Sun: *Squeeze-and-Excitation Networks*, CVPR 2018,
#   [arXiv:1709.01507](https://arxiv.org/abs/1709.01507).
# - Zhang et al.: *ShuffleNet*, CVPR 2018, [arXiv:1707.01083](https://arxiv.org/abs/1707.01083); Ma et al.:
#   *ShuffleNet V2*, ECCV 2018, [arXiv:1807.11164](https://arxiv.org/abs/1807.11164). Four rules for networks
#   that are fast, not only light.
# - Horowitz: *Computing's Energy Problem (and what we can do about it)*, ISSCC 2014.
# - Williams, Waterman, Patterson: *Roofline: An Insightful Visual Performance Model*, CACM 52(4), 2009.
