"""What is kept of a grading: gradebook, evidence, feedback, reports, exports."""
