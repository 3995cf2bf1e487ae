"""The hidden questions of lab 1, notebook by notebook."""

from autograders.questions.lab1_cnn_basics import (
    arithmetic,
    convolution,
    edges,
    neural_networks,
    optimizers,
    priors,
    schedules,
)

QUESTIONS = (
    *neural_networks.QUESTIONS,
    *priors.QUESTIONS,
    *optimizers.QUESTIONS,
    *schedules.QUESTIONS,
    *convolution.QUESTIONS,
    *edges.QUESTIONS,
    *arithmetic.QUESTIONS,
)
