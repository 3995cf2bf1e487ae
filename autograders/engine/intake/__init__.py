"""What was handed in becomes submissions: folders, zips, names, notebooks of any state."""
