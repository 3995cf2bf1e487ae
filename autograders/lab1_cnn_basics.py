"""The hidden questions of lab 1, notebook by notebook."""

from autograders.questions.lab1_cnn_basics import convolution, neural_networks

QUESTIONS = (*neural_networks.QUESTIONS, *convolution.QUESTIONS)
