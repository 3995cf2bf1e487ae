"""Questions, their cases and comparisons, and the reference they are held against."""
