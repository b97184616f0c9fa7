-- Step 3: recurring work.

-- `rule` says when, `payload` what; both are read by whoever plans, not by the engine. Off, or with no time to come,
-- a schedule has no next_at.
CREATE TABLE schedules (
    name    TEXT PRIMARY KEY CHECK (name <> ''),
    queue   TEXT NOT NULL CHECK (queue IN ('portfolio_sync', 'data_fetcher', 'ai_analysis')),
    rule    TEXT NOT NULL CHECK (json_type(rule) = 'object'),
    payload TEXT NOT NULL CHECK (json_type(payload) = 'object'),
    is_on   INTEGER NOT NULL CHECK (is_on IN (0, 1)),
    set_at  INTEGER NOT NULL,
    next_at INTEGER,
    CHECK (is_on = 1 OR next_at IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_by_time ON schedules (next_at) WHERE next_at IS NOT NULL;

-- What came of each fire time. Its key keeps one from firing twice.
CREATE TABLE firings (
    schedule TEXT NOT NULL REFERENCES schedules (name) ON DELETE CASCADE,
    fire_at  INTEGER NOT NULL,
    outcome  TEXT NOT NULL CHECK (outcome IN ('fired', 'made_up', 'missed', 'refused')),
    ended_at INTEGER NOT NULL,
    run_id   TEXT,
    detail   TEXT,
    PRIMARY KEY (schedule, fire_at)
) STRICT, WITHOUT ROWID;
