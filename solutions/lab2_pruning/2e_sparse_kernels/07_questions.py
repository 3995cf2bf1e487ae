# %% [markdown]
# ## 7. Questions
#
# Answer in a few sentences, with numbers where they help.

# %% [markdown] question="which_index_map" points=2 topics="csr_spmm_kernel"
# **Question 1.** Two layers of 4096 x 4096 have to run on a GPU, one sample at a time. In the first, every row has 8
# values. In the second, a quarter of the rows have 1600 values and the others none. For each: a row per thread, a row
# per warp, or something else? Give the share of lanes with work and the sectors for `values` that support your choice.
#
# ### BEGIN SOLUTION
# First layer. A row per thread: all rows are equally long, so every lane is busy (100%), but in each step the lanes are
# 8 floats = one sector apart: 32 sectors for 32 values, eight times what is needed unless the cache keeps the sector for
# the 7 steps that follow (here it may: the sector holds exactly the rest of the row). A row per warp: only 8 of 32 lanes
# have work (25%), one sector for each row, perfect, and a reduction of five shuffles for eight products. Better than
# both: 8 lanes for a row, four rows in a warp: 100% busy, 4 sectors for 32 values, three shuffles. Second layer. A row
# per thread: warps with even one full row take 1600 steps; if full and empty rows are mixed, about 25% of the lanes
# work, each read a sector of its own. A row per warp: 1600 = 50 * 32, so full rows keep all lanes busy for 50 steps, 4
# sectors each; warps of empty rows write the bias and leave, so blocks should hold rows that differ or be small. So: a
# row per warp. Full marks for other choices whose numbers are right.
# ### END SOLUTION

# %% [markdown] question="what_a_simulation_proves" points=2 topics="csr_spmm_kernel"
# **Question 2.** Your kernel passes the watched run on the host runner, and a colleague's version of it is 3 times
# faster there. Name two things that you now know about the kernel on a GPU, one that you do not know, and say what the
# factor of 3 is worth. What would you measure, and on what, before you choose one of the two?
#
# ### BEGIN SOLUTION
# Known: for the sizes tried, the values are those the formula gives (up to the order of float additions), no thread
# leaves its arrays, no two threads conflict without a barrier, every thread reaches its barriers and shuffles; the
# addresses, so how many sectors each warp instruction asks for. These follow from the source and hold on every machine,
# for inputs like those tried; other sizes may still show a fault. Not known: time on a GPU: caches, how many warps fit,
# how latency is hidden, registers. The factor of 3 is the time of a simulation, or of plain loops on a CPU: a kernel
# without shuffles is compiled to loops, one with shuffles switches threads at each, which on a GPU costs a few cycles.
# So it may be reversed on a GPU. Measure both on the target GPU with the real matrices and batch size, several runs
# after a warm-up, data larger than the cache or as in use, beside cuSPARSE and the dense product, and compare with the
# time to read the matrix once.
# ### END SOLUTION

# %% [markdown]
# ## Read more
#
# - NVIDIA: *CUDA C++ Programming Guide*, the chapters on the programming model, on device memory accesses and on warp
#   shuffle functions.
# - Bell, Garland: *Implementing Sparse Matrix-Vector Multiplication on Throughput-Oriented Processors*, SC 2009. The two
#   index maps of this notebook, as "CSR scalar" and "CSR vector".
# - Yang, Buluç, Owens: *Design Principles for Sparse Matrix Multiplication on the GPU*, Euro-Par 2018,
#   [arXiv:1803.08601](https://arxiv.org/abs/1803.08601). Row splitting and merging.
# - Gale, Zaharia, Young, Elsen: *Sparse GPU Kernels for Deep Learning*, SC 2020,
#   [arXiv:2006.10901](https://arxiv.org/abs/2006.10901). Tiling and row swizzling for pruned networks.
