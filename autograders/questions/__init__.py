"""The hidden questions, a folder for each lab; `autograders/LAB.py` collects them."""
