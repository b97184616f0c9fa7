-- Step 1 of the server's schema: the MCP tasks that were answered in place of results. Moments are whole microseconds
-- since 1970-01-01 UTC.

CREATE TABLE mcp_tasks (
    -- whoever knows it may see and cancel the work: nobody can guess it
    id         TEXT PRIMARY KEY CHECK (length(id) >= 22),
    answer     TEXT NOT NULL CHECK (json_type(answer) = 'object'), -- what the tool answered, an EnqueueView
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL CHECK (expires_at > created_at),
    ending     TEXT CHECK (json_type(ending) = 'object') -- how it ended, once that was seen
) STRICT, WITHOUT ROWID;
CREATE INDEX mcp_tasks_by_expiry ON mcp_tasks (expires_at);

-- What a client has seen ended stays so, though a person retries the work.
CREATE TRIGGER an_mcp_task_ends_once BEFORE UPDATE ON mcp_tasks WHEN OLD.ending IS NOT NULL BEGIN
    SELECT raise(ABORT, 'the MCP task has ended');
END;
