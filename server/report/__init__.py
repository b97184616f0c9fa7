"""One file that shows the whole desk: for reading offline, for paper, for other programs."""
