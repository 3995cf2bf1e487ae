"""1c: normalisation, blocks, and what they cost."""

from __future__ import annotations

from autograders.questions.lab1_cnn_basics import architectures_blocks, architectures_costs, architectures_norm

__all__ = ["QUESTIONS"]

QUESTIONS = (*architectures_norm.QUESTIONS, *architectures_blocks.QUESTIONS, *architectures_costs.QUESTIONS)
