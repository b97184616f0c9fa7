"""How the command line shows the views: tables, lanes and bars for a terminal of 80 columns."""
