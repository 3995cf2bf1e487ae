"""Hidden questions of lab 2.

Inputs are drawn before a case begins: a case that fails must not change what the next ones ask.
"""
