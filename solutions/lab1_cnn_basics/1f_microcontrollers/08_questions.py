# %% [markdown]
# ## 8. Questions
#
# Answer in a few sentences, with numbers where they help.

# %% [markdown] question="choose_mcu_plan" points=3 topics="mcu_memory, patch_inference"
# **Question 1.** A door lock is to recognise faces on an STM32F412 (256 KiB of SRAM, 1 MiB of flash, 100 MHz). The
# team has MobileNetV2 at width 0.35 for images of 128 x 128, in int8: 1,694 KiB of constants, of which 1,259 KiB
# belong to the last layer with its 1000 classes; a peak of 240 KiB, or 224 KiB in place; 20 million MACs. Patches
# of 2 x 2 would bring the peak to 135 KiB and add 7% of MACs. Which measures do you take, in which order, and what
# would you still have to measure before promising anything?
#
# ### BEGIN SOLUTION
# Flash first, since no schedule changes it: 1,694 KiB do not fit in 1,024. Three quarters of it is the layer for 1000
# classes; a lock needs an embedding or a few classes, so that layer shrinks to a few KiB (a few classes) or to 160 KiB
# (an embedding of 128 numbers): 440 to 600 KiB are needed instead of 1,694. SRAM: 224 KiB in place is below 256 KiB on paper, but stack, camera buffer and the memory of radio or cryptography come on
# top, so it fits without a margin. Patches bring it to 135 KiB for 7% more MACs and give the same integers, so accuracy
# need not be tested again; redistribution or a lower resolution would help too but change the network, which then must
# be trained and tested anew. Order: new last layer, in place (free), patches, and only then changes of the network. To
# measure: time per image on the board (20 million MACs at 100 MHz take 0.2 s at one MAC per cycle, and plain loops need
# several cycles each; someone stands in front of the door), the high-water marks of arena and stack on the board, energy
# per opening, and accuracy in int8 on the lock's own data. Full marks for other choices argued with both memories, with
# what lies outside the arena, and with time.
# ### END SOLUTION

# %% [markdown] question="patches_everywhere" points=2 topics="patch_inference, tinyengine"
# **Question 2.** A colleague proposes to run *all* layers of a network in 8 x 8 patches, "since the peak falls with every
# patch", and to do so with a ready-made interpreter that gets its layers from a file, "since generated code is
# only about speed". Where is each statement wrong?
#
# ### BEGIN SOLUTION
# Patches: with depth the receptive field of a patch grows until each patch reads almost the whole image; then every
# patch computes nearly everything, so work grows towards 64 times, and the tiles are as large as the maps, so no memory is
# saved. (Global pooling and dense layers cannot be cut at all.) The output of the stage, and the image unless it can be
# streamed, are kept all the time, and once the layers after the stage decide the peak, more patches cost without
# gain, as 4 x 4 showed for the digit reader. The stage should end where maps have become small. Interpreter: generated
# code is also about memory. The interpreter's own code for all kinds of layers and its model file and tables take
# flash, its run-time structures take SRAM, and it must offer in-place layers and patch schedules at all; a generator
# leaves out what is not used and can plan for exactly this network. Speed is a second reason, and largest for layers
# with little arithmetic per output.
# ### END SOLUTION

# %% [markdown]
# ## Read more
#
# - Lin, Chen, Lin, Cohn, Gan, Han: *MCUNet: Tiny Deep Learning on IoT Devices*, NeurIPS 2020,
#   [arXiv:2007.10319](https://arxiv.org/abs/2007.10319). TinyNAS and TinyEngine.
# - Lin, Chen, Cai, Gan, Han: *MCUNetV2: Memory-Efficient Patch-based Inference for Tiny Deep Learning*, NeurIPS 2021,
#   [arXiv:2110.15352](https://arxiv.org/abs/2110.15352). Patches and redistribution.
# - TinyEngine's code: [github.com/mit-han-lab/tinyengine](https://github.com/mit-han-lab/tinyengine).
# - Lai, Suda, Chandra: *CMSIS-NN: Efficient Neural Network Kernels for Arm Cortex-M CPUs*, 2018,
#   [arXiv:1801.06601](https://arxiv.org/abs/1801.06601). im2col for two windows at a time.
# - David et al.: *TensorFlow Lite Micro: Embedded Machine Learning on TinyML Systems*, MLSys 2021,
#   [arXiv:2010.08678](https://arxiv.org/abs/2010.08678). The interpreter's side.
# - Pisarchyk, Lee: *Efficient Memory Management for Deep Neural Net Inference*, 2020,
#   [arXiv:2001.03288](https://arxiv.org/abs/2001.03288). Placing buffers.
# - Jacob et al.: *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, CVPR
#   2018, [arXiv:1712.05877](https://arxiv.org/abs/1712.05877). Multiplier and shift.
# - Sandler, Howard, Zhu, Zhmoginov, Chen: *MobileNetV2: Inverted Residuals and Linear Bottlenecks*, CVPR 2018,
#   [arXiv:1801.04381](https://arxiv.org/abs/1801.04381).
# - Lin, Zhu, Chen, Wang, Gan, Han: *On-Device Training Under 256KB Memory*, NeurIPS 2022,
#   [arXiv:2206.15472](https://arxiv.org/abs/2206.15472). Not only inference.
