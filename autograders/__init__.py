"""What only staff have: quiz keys, answers that must lose or keep marks, and the settings for nbgrader."""
