"""What a broker says is held: by a file, or live."""
