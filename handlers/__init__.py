"""What each kind of task does, and what it needs from the outer world."""
