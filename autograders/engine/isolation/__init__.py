"""A process that can reach nothing: bubblewrap, seccomp, caps, and the talk with the student's process inside it."""
