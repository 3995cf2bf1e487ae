"""A submitted notebook becomes the released one with the student's answers in it."""
