"""The MCP face and the command line of the desk."""
