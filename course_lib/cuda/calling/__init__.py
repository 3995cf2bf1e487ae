"""What a kernel is called with: arrays and numbers against its signature, the grid, and where it is to run."""
