"""What authors of exercises use: answers that staff keep, and ways to try them."""
