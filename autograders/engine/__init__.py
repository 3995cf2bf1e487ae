"""Grades untrusted notebooks: the student's process answers questions with data, and this side alone decides marks."""
