-- Step 1 of the engine's schema. Moments and spans are whole microseconds; moments since 1970-01-01 UTC.

CREATE TABLE tasks (
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,
    id               TEXT NOT NULL UNIQUE,
    run_id           TEXT NOT NULL,
    queue            TEXT NOT NULL CHECK (queue IN ('portfolio_sync', 'data_fetcher', 'ai_analysis')),
    kind             TEXT NOT NULL CHECK (kind <> ''),
    payload          TEXT NOT NULL CHECK (json_type(payload) = 'object'),
    state            TEXT NOT NULL CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    priority         INTEGER NOT NULL,
    carried          INTEGER NOT NULL CHECK (carried IN (0, 1)),
    dedup_key        TEXT,
    attempt          INTEGER NOT NULL DEFAULT 0 CHECK (attempt BETWEEN 0 AND claim),
    max_attempts     INTEGER NOT NULL CHECK (max_attempts >= 1),
    claim            INTEGER NOT NULL DEFAULT 0,
    epoch            INTEGER NOT NULL DEFAULT 0,
    timeout          INTEGER NOT NULL CHECK (timeout > 0),
    asked_at         INTEGER NOT NULL,
    approval_window  INTEGER CHECK (approval_window > 0),
    enqueued_at      INTEGER NOT NULL,
    due_at           INTEGER NOT NULL,
    started_at       INTEGER,
    finished_at      INTEGER,
    progress_done    INTEGER,
    progress_total   INTEGER,
    progress_message TEXT,
    cancel_requested TEXT,
    note             TEXT,
    result           TEXT CHECK (json_type(result) = 'object'),
    error            TEXT,
    revision         INTEGER NOT NULL DEFAULT 0,
    CHECK ((state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CHECK (state <> 'running' OR started_at IS NOT NULL),
    CHECK ((state IN ('failed', 'cancelled')) = (error IS NOT NULL)),
    CHECK ((state = 'completed') <= (result IS NOT NULL)),
    CHECK (cancel_requested IS NULL OR state = 'running')
) STRICT;

-- The rule of the queues: whatever the code does, a second running task in a queue cannot be stored.
CREATE UNIQUE INDEX one_running_task_per_queue ON tasks (queue) WHERE state = 'running';
CREATE UNIQUE INDEX one_unfinished_task_per_dedup_key ON tasks (queue, dedup_key)
    WHERE state IN ('queued', 'running') AND dedup_key IS NOT NULL;
CREATE INDEX tasks_in_claim_order ON tasks (queue, priority DESC, carried DESC, seq) WHERE state = 'queued';
CREATE INDEX tasks_by_state ON tasks (queue, state, finished_at);
CREATE INDEX tasks_by_run ON tasks (run_id);

CREATE TABLE prerequisites (
    task_seq  INTEGER NOT NULL REFERENCES tasks (seq) ON DELETE CASCADE,
    after_seq INTEGER NOT NULL REFERENCES tasks (seq) ON DELETE CASCADE CHECK (after_seq <> task_seq),
    -- set while the task is cancelled because this prerequisite failed or was cancelled
    broken    INTEGER NOT NULL DEFAULT 0 CHECK (broken IN (0, 1)),
    PRIMARY KEY (task_seq, after_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependents ON prerequisites (after_seq);

CREATE TABLE attempts (
    task_seq   INTEGER NOT NULL REFERENCES tasks (seq) ON DELETE CASCADE,
    claim      INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    outcome    TEXT CHECK (outcome IN
        ('completed', 'retry', 'snooze', 'failed', 'cancelled', 'interrupted', 'rescued')),
    detail     TEXT,
    PRIMARY KEY (task_seq, claim),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE holds (
    queue   TEXT NOT NULL CHECK (queue IN ('portfolio_sync', 'data_fetcher', 'ai_analysis')),
    source  TEXT NOT NULL,
    reason  TEXT NOT NULL CHECK (reason <> ''),
    held_at INTEGER NOT NULL,
    until   INTEGER,
    PRIMARY KEY (queue, source)
) STRICT, WITHOUT ROWID;

-- One row: the last process that took the leader's lock. A higher epoch makes every older claim stale.
CREATE TABLE leader (
    only_row  INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch     INTEGER NOT NULL,
    pid       INTEGER NOT NULL,
    command   TEXT NOT NULL,
    led_since INTEGER NOT NULL
) STRICT;
INSERT INTO leader VALUES (1, 0, 0, '', 0);

CREATE TABLE listeners (
    port      INTEGER PRIMARY KEY,
    pid       INTEGER NOT NULL,
    opened_at INTEGER NOT NULL
) STRICT;
