"""The engine: durable tasks in three queues that run in parallel, each strictly one task at a time.

It knows nothing of stocks, MCP or HTTP.
"""
