"""A kernel's text: where it comes from, and what it says of its kernels, variables and shared memory."""
