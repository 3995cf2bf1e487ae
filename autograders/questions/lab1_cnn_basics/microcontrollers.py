"""1f: memory on microcontrollers."""

from __future__ import annotations

from autograders.questions.lab1_cnn_basics import microcontrollers_memory, microcontrollers_patches

__all__ = ["QUESTIONS"]

QUESTIONS = (*microcontrollers_memory.QUESTIONS, *microcontrollers_patches.QUESTIONS)
