"""What a hand-in is: its limits, how a student's notebook is read, what counts as an answer, and the zip.

`course submit` looks at a student's notebooks with it before they are handed in, and grading reads them with it
afterwards, so that both say the same. Nothing here needs torch, Jupyter or the course's sources.
"""
