import course_lib  # noqa: F401 - before torchvision, which beside a CPU build of torch imports only after it
