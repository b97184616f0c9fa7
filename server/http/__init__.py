"""MCP over Streamable HTTP: for clients that do not start their own server."""
