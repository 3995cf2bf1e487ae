# %% [markdown]
# ## 6. What it buys, and what this machine can tell
#
# Count first. For layers of one size and density but different row lengths, compare what the two index maps ask of
# a GPU: lanes with work, and bytes that travel for `values` and `columns` if no cache helps, over the bytes that are
# needed. Both follow from the pattern and the index map alone; the host runner counts them in your kernels.

# %% experiment="what_the_index_map_costs" topics="csr_spmm_kernel"
draw = nb.generator(6)
rows, width = 128, 512
patterns = {
    "balanced, 10%": torch.rand(rows, width, generator=draw) < 0.1,
    "uneven, 10%": torch.rand(rows, width, generator=draw) < 0.2 * torch.rand(rows, 1, generator=draw) ** 2 * 1.5,
    "balanced, 1%": torch.rand(rows, width, generator=draw) < 0.01,
}
print(f"{'pattern':14} {'index map':18} {'busy lanes':>10} {'bytes moved / needed':>21}")
moved = {}
for pattern, keep in patterns.items():
    args = layer_arguments(
        csr(torch.randn(rows, width, generator=draw) * keep), torch.randn(1, width), torch.zeros(rows)
    )
    lengths = keep.sum(1)
    for name, source, kernel_name, grid, block in (
        ("a row per thread", csr_spmm_row_per_thread, "csr_spmm_row_per_thread", 1, 128),
        ("a row per warp", csr_spmm_row_per_warp, "csr_spmm_row_per_warp", 32, (32, 4)),
    ):
        trace = access_trace.trace(written_kernel.compiled(source, kernel_name), grid, block, args)
        reads = trace.of("values", writes=False)
        steps = len(np.unique(reads.requests()))  # instructions of warps that read values
        moved[pattern, name] = 32 * reads.sectors() / (4 * int(lengths.sum()))
        print(f"{pattern:14} {name:18} {len(reads) / (32 * steps):10.0%} {moved[pattern, name]:20.1f}x")
record("moved_balanced_warp", moved["balanced, 10%", "a row per warp"], high=2)
record("moved_sparse_warp", moved["balanced, 1%", "a row per warp"], low=1.5)

# %% [markdown]
# At 10% a row per warp moves six times fewer bytes. Its lanes are as busy as those of a row per thread where rows are
# alike, and twice as busy where they are not. At 1% a row has about five values: 27 of 32 lanes have nothing to do,
# and the row per thread is the better map for the lanes. No kernel is best for every matrix.
#
# Now time, on this machine. Four ways to compute one layer: torch's dense product, torch's own sparse product, and
# your two kernels. Without a GPU your kernels run on the host runner, and then the numbers say this, no more:
#
# - *row per thread* needs no exchange between threads, so the runner compiles it to plain loops over the rows. Its time
#   is a fair time of a simple CPU program, beside torch's tuned ones.
# - *row per warp* exchanges registers, so the runner must switch between 32 threads at every shuffle. Its time is the
#   time of a **simulation**. That it is slower here says nothing about a GPU.

# %% experiment="time_on_this_machine" topics="csr_spmm_kernel"
rows, width, batch = (256, 1024, 16) if nb.device.type == "cpu" else (4096, 4096, 64)
densities = (0.5, 0.2, 0.1, 0.05, 0.02)
by_thread = cuda.compile(written_kernel.text(csr_spmm_row_per_thread), "csr_spmm_row_per_thread")
by_warp = cuda.compile(written_kernel.text(csr_spmm_row_per_warp), "csr_spmm_row_per_warp")
names = ("torch, dense", "torch, sparse", "a row per thread", "a row per warp")
calls = {}
for density in densities:
    weight, x, bias = random_layer(rows, width, density, batch, seed=7)
    matrix, stored = csr(weight), csr(weight).to_torch()
    args = layer_arguments(matrix, x, bias)
    ways = (
        lambda weight=weight, x=x, bias=bias: F.relu(F.linear(x, weight, bias)),
        lambda stored=stored, x=x, bias=bias: F.relu((stored @ x.T).T + bias),
        lambda args=args: by_thread((-(-rows // 128), batch), 128, args),
        lambda args=args: by_warp((-(-rows // 4), batch), (32, 4), args),
    )
    for way in ways[2:]:
        args[0].zero_()
        way()
        checking.close(args[0], ways[0](), "out", rtol=1e-3, atol=1e-3)
    calls |= {(name, density): way for name, way in zip(names, ways, strict=True)}
# a simulation takes too long to be repeated often, and is compared with nothing
simulated = [key for key in calls if key[0] == "a row per warp" and nb.device.type == "cpu"]
timed = measure.compare({key: call for key, call in calls.items() if key not in simulated})
seconds = dict(timed) | {key: measure.latency(calls[key], warmup=0, runs=2).median for key in simulated}
times = {name: [seconds[name, density] for density in densities] for name in names}
figure, axes = plt.subplots(figsize=(6.6, 3.8))
for name, seconds in times.items():
    axes.loglog([100 * density for density in densities], [1e3 * value for value in seconds], "o-", label=name)
where = nb.hardware if nb.device.type == "cuda" else "host runner and torch on the CPU"
axes.set(title=f"{rows} x {width} layer, {batch} samples: {where}", xlabel="values kept in %", ylabel="milliseconds")
axes.set_xticks([100 * density for density in densities], [f"{100 * density:g}" for density in densities])
axes.minorticks_off()
axes.legend(fontsize=9)
plt.show()
print(f"{'values kept':17}" + "".join(f"{density:10.0%}" for density in densities))
for name, seconds in times.items():
    print(f"{name:17}" + "".join(f"{1e3 * value:8.2f}ms" for value in seconds))
print(f"on {nb.hardware}")
more = timed.ratio(("a row per thread", 0.5), ("a row per thread", 0.02))
record("row_per_thread_50_over_2_percent", more, low=2, timed=timed)

# %% [markdown]
# The dense product takes the same time whatever the zeros; the sparse ones get cheaper as values go. Read off where
# torch's sparse line crosses the dense one: at higher densities the zeros are not worth skipping, because a dense
# product reads memory in order and uses vector instructions for every value. Where that crossing lies depends on the
# machine, the sizes and the batch. The exact products you compared, and the counts of section 5 and of the table
# above, hold on every machine.
#
# **What a GPU adds.** Run the same notebook with one: the checks then run your kernels there, and the last figure shows
# their real times, beside cuSPARSE (torch's sparse product) and cuBLAS (the dense one), at a larger size. What to look
# for: whether the order of your two kernels is the reverse of the one a simulation shows, and how far both are from
# the time that reading the matrix once would take. `course_lib.sparse.csr_matmul` holds tuned relatives of these kernels
# for another layout; its sources say what the next steps are.
