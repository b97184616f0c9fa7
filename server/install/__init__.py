"""`stockdesk install`: puts the desk into the files of clients, and has the system run a worker."""
