"""The hidden questions of lab 2, notebook by notebook."""

from autograders.questions.lab2_pruning import sparse_kernels

QUESTIONS = (*sparse_kernels.QUESTIONS,)
