"""What a broker says by itself is held, asked over its API by a client that can do nothing but read."""
