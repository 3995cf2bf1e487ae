"""1e: contrastive learning and masked autoencoders."""

from __future__ import annotations

from autograders.questions.lab1_cnn_basics import self_supervised_contrastive, self_supervised_masked

__all__ = ["QUESTIONS"]

QUESTIONS = (*self_supervised_contrastive.QUESTIONS, *self_supervised_masked.QUESTIONS)
