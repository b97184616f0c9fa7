"""The desk on one page: its data, and the page that shows them."""
