-- Step 5: a commit costs by the pages that it changes, and an enqueued task changed two for its id alone. The id says
-- the queue and seq, so it is worked out of them and needs no index of its own; that no seq comes round again once its
-- task is forgotten is seen to by queue_totals, which each enqueued task changes anyway.

ALTER TABLE queue_totals ADD COLUMN newest_seq INTEGER NOT NULL DEFAULT 0;
UPDATE queue_totals SET newest_seq = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tasks'), 0);

CREATE TABLE tasks_anew (
    seq              INTEGER PRIMARY KEY,
    id               TEXT NOT NULL AS (CASE queue WHEN 'portfolio_sync' THEN 'sync' WHEN 'data_fetcher' THEN 'fetch'
                         WHEN 'ai_analysis' THEN 'analysis' END || '-' || seq),
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
INSERT INTO tasks_anew (seq, run_id, queue, kind, payload, state, priority, carried, dedup_key, attempt, max_attempts,
    claim, epoch, timeout, asked_at, approval_window, enqueued_at, due_at, started_at, finished_at, progress_done,
    progress_total, progress_message, cancel_requested, note, result, error, revision)
SELECT seq, run_id, queue, kind, payload, state, priority, carried, dedup_key, attempt, max_attempts,
    claim, epoch, timeout, asked_at, approval_window, enqueued_at, due_at, started_at, finished_at, progress_done,
    progress_total, progress_message, cancel_requested, note, result, error, revision
FROM tasks;

DROP TRIGGER remember_end_of_attempt;  -- it names the table, which is not there for a moment
DROP TABLE tasks;
ALTER TABLE tasks_anew RENAME TO tasks;

-- As before.
CREATE UNIQUE INDEX one_running_task_per_queue ON tasks (queue) WHERE state = 'running';
CREATE UNIQUE INDEX one_unfinished_task_per_dedup_key ON tasks (queue, dedup_key)
    WHERE state IN ('queued', 'running') AND dedup_key IS NOT NULL;
CREATE INDEX tasks_in_claim_order ON tasks (queue, priority DESC, carried DESC, seq) WHERE state = 'queued';
CREATE INDEX tasks_by_state ON tasks (queue, state) WHERE state <> 'queued';
CREATE INDEX tasks_by_run ON tasks (run_id) WHERE run_id <> id;
CREATE INDEX tasks_by_end ON tasks (queue, state, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX queued_for_later ON tasks (queue, due_at) WHERE state = 'queued' AND due_at <> enqueued_at;
CREATE INDEX queued_by_approval ON tasks (queue, asked_at + approval_window)
    WHERE state = 'queued' AND approval_window IS NOT NULL;
CREATE INDEX tasks_begun ON tasks (started_at) WHERE state IN ('queued', 'cancelled') AND claim > 0;

CREATE TRIGGER count_new_task AFTER INSERT ON tasks BEGIN
    SELECT raise(ABORT, 'a new task is queued') WHERE NEW.state <> 'queued';
    SELECT raise(ABORT, 'an id is given once') FROM queue_totals WHERE newest_seq >= NEW.seq;
    UPDATE queue_totals SET queued = queued + 1, newest_seq = NEW.seq WHERE queue = NEW.queue;
END;
CREATE TRIGGER count_changed_task AFTER UPDATE OF state ON tasks WHEN OLD.state <> NEW.state BEGIN
    UPDATE queue_totals SET
        queued = queued + (NEW.state = 'queued') - (OLD.state = 'queued'),
        running = running + (NEW.state = 'running') - (OLD.state = 'running'),
        completed = completed + (NEW.state = 'completed') - (OLD.state = 'completed'),
        failed = failed + (NEW.state = 'failed') - (OLD.state = 'failed'),
        cancelled = cancelled + (NEW.state = 'cancelled') - (OLD.state = 'cancelled')
    WHERE queue = NEW.queue;
END;
CREATE TRIGGER count_forgotten_task AFTER DELETE ON tasks BEGIN
    UPDATE queue_totals SET
        queued = queued - (OLD.state = 'queued'),
        running = running - (OLD.state = 'running'),
        completed = completed - (OLD.state = 'completed'),
        failed = failed - (OLD.state = 'failed'),
        cancelled = cancelled - (OLD.state = 'cancelled')
    WHERE queue = OLD.queue;
END;
CREATE TRIGGER begin_attempt AFTER UPDATE OF claim ON tasks WHEN NEW.claim > OLD.claim BEGIN
    INSERT INTO attempts (task_seq, claim, attempt, epoch, started_at)
    VALUES (NEW.seq, NEW.claim, NEW.attempt, NEW.epoch, NEW.started_at);
END;
CREATE TRIGGER end_attempt AFTER UPDATE OF state ON tasks WHEN OLD.state = 'running' AND NEW.finished_at IS NOT NULL BEGIN
    UPDATE attempts SET ended_at = NEW.finished_at, outcome = NEW.state, detail = NEW.error
    WHERE task_seq = NEW.seq AND claim = NEW.claim AND ended_at IS NULL;
END;
CREATE TRIGGER remember_end_of_attempt AFTER UPDATE OF ended_at ON attempts WHEN NEW.ended_at IS NOT NULL BEGIN
    UPDATE queue_totals SET last_ended_at = max(last_ended_at, NEW.ended_at)
    WHERE queue = (SELECT queue FROM tasks WHERE seq = NEW.task_seq);
END;
