"""The hidden questions of lab 1, notebook by notebook."""

from autograders.questions.lab1_cnn_basics import (
    architectures,
    arithmetic,
    convolution,
    edges,
    microcontrollers,
    neural_networks,
    optimizers,
    priors,
    schedules,
    self_supervised,
    transformers,
    transformers_layers,
    transformers_vision,
)

QUESTIONS = (
    *neural_networks.QUESTIONS,
    *priors.QUESTIONS,
    *optimizers.QUESTIONS,
    *schedules.QUESTIONS,
    *convolution.QUESTIONS,
    *edges.QUESTIONS,
    *arithmetic.QUESTIONS,
    *architectures.QUESTIONS,
    *transformers.QUESTIONS,
    *transformers_layers.QUESTIONS,
    *transformers_vision.QUESTIONS,
    *self_supervised.QUESTIONS,
    *microcontrollers.QUESTIONS,
)
