# %% [markdown]
# ## 14. Questions
#
# Answer in a few sentences, with numbers where they help.

# %% [markdown] question="choose_convolution" points=3 topics="im2col, winograd, memory_layouts"
# **Question 1.** A camera chip has 256 KiB of memory for data (weights are in flash) and an instruction that
# multiplies and adds four neighbouring int8 numbers at once. It must run a 3x3 convolution, 64 to 64
# channels, 28x28, on one image at a time. Choose between direct convolution, im2col and Winograd, choose a
# layout, and defend both with numbers.
#
# ### BEGIN SOLUTION
# Input and output take 64 * 28 * 28 = 49 KiB each in int8. Full im2col needs nine times the input, 441 KiB:
# it does not fit. Building the columns for one or two output positions at a time does fit (64 * 9 = 576 bytes
# per position) and keeps the product's inner loop; direct convolution is the same loop without the copy.
# Winograd F(2x2, 3x3) would save 2.25 times the multiplications, but the transformed weights grow from 36 KiB
# to 64 KiB, and the transformed input is a sum of four inputs, so it needs two more bits than int8 offers:
# the four-lane instruction could not be used without losing accuracy. NHWC: the products are summed over the
# channels, and in NHWC the 64 channels of a pixel lie together, so every four-lane load is one aligned word.
# In NCHW the neighbours are pixels of a row, and CHWN has an inner loop of length 1 for one image. So: NHWC
# with partial im2col (or direct) convolution. Full marks for another choice whose numbers are right and which
# fits in memory.
# ### END SOLUTION

# %% [markdown] question="promise_of_depthwise" points=2 topics="conv_cost, grouped_conv"
# **Question 2.** A colleague replaces every 3x3 convolution (128 to 128 channels) by a depthwise 3x3 and a
# 1x1 convolution, counts about 8 times fewer MACs, and promises a network that is 8 times faster. What do you
# answer, and which two measurements do you ask for before anyone decides?
#
# ### BEGIN SOLUTION
# The count is right: 9 * 128 * 128 against 9 * 128 + 128 * 128 weights per position is a factor of 8.4. The
# time will fall by less. A depthwise layer reads and writes as many activations as before, for 128 times
# fewer MACs, so it has few MACs per byte and is limited by memory; in the experiments above its rate was a
# fraction of that of the dense layer. There are now two layers to start and an additional activation map to
# write and read. Measurements: (1) the latency of the whole network, before and after, on the target device
# at the target batch size (with its spread); (2) accuracy after training the new network, since it has fewer
# weights. A profile of time per layer is a good third: if most time was elsewhere, even a free convolution
# would not help.
# ### END SOLUTION

# %% [markdown]
# ## Read more
#
# - Dumoulin, Visin: *A guide to convolution arithmetic for deep learning*, 2016,
#   [arXiv:1603.07285](https://arxiv.org/abs/1603.07285). Sizes, with pictures.
# - Araujo, Norris, Sim: *Computing Receptive Fields of Convolutional Neural Networks*, Distill 2019,
#   [doi:10.23915/distill.00021](https://doi.org/10.23915/distill.00021).
# - Luo, Li, Urtasun, Zemel: *Understanding the Effective Receptive Field in Deep Convolutional Neural
#   Networks*, NIPS 2016, [arXiv:1701.04128](https://arxiv.org/abs/1701.04128).
# - Boureau, Ponce, LeCun: *A Theoretical Analysis of Feature Pooling in Visual Recognition*, ICML 2010.
# - Zhang: *Making Convolutional Networks Shift-Invariant Again*, ICML 2019,
#   [arXiv:1904.11486](https://arxiv.org/abs/1904.11486).
# - Zeiler, Fergus: *Visualizing and Understanding Convolutional Networks*, ECCV 2014,
#   [arXiv:1311.2901](https://arxiv.org/abs/1311.2901).
# - Olah, Mordvintsev, Schubert: *Feature Visualization*, Distill 2017,
#   [doi:10.23915/distill.00007](https://doi.org/10.23915/distill.00007).
# - Chellapilla, Puri, Simard: *High Performance Convolutional Neural Networks for Document Processing*, IWFHR
#   2006. The first im2col.
# - Chetlur et al.: *cuDNN: Efficient Primitives for Deep Learning*, 2014,
#   [arXiv:1410.0759](https://arxiv.org/abs/1410.0759). im2col without the columns.
# - Goto, van de Geijn: *Anatomy of High-Performance Matrix Multiplication*, ACM TOMS 34(3), 2008. Section 10,
#   done to the end.
# - Lavin, Gray: *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016,
#   [arXiv:1509.09308](https://arxiv.org/abs/1509.09308). Winograd.
# - Ma, Zhang, Zheng, Sun: *ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design*, ECCV
#   2018, [arXiv:1807.11164](https://arxiv.org/abs/1807.11164). Why MACs are not time.
# - Lin, Chen, Lin, Cohn, Gan, Han: *MCUNet: Tiny Deep Learning on IoT Devices*, NeurIPS 2020,
#   [arXiv:2007.10319](https://arxiv.org/abs/2007.10319). Layouts and loops on a microcontroller.
# - Marr, Hildreth: *Theory of Edge Detection*, Proceedings of the Royal Society B 207, 1980.
