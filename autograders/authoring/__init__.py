"""What authors of exercises use: trying answers, the dry run, made-up classes. Trusted code only, no sandbox."""
