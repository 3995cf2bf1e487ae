"""`make gpu`: all that is worth doing on a GPU that is there for minutes.

    make gpu                                  # tests that need a GPU, then quick benchmarks with their peers
    make gpu ARGS=--dry-run                   # what it would do, and in which order; needs no GPU
    make gpu ARGS="--only csr_matmul --again"

Needs Python, torch, CuPy, NumPy, SciPy, pytest and hypothesis: nothing of Jupyter, no installation. A call goes on
where the last one stopped; a part that fails or takes too long does not stop the next.

parts.py     what there is to do, most important first; rooms of operations are found, not listed
running.py   one part in a process of its own, with a time limit
results.py   what is kept: one folder of at most eight small files
summary.py   what is said at the end
command.py   the command line
"""
