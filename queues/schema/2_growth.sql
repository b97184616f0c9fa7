-- Step 2: what keeps the engine as fast with 100,000 tasks as with none, and tells one process from another.

-- One row per queue: how many tasks are in each state, kept by the triggers below, so that nobody counts rows; and when
-- an attempt last ended, so that the next begins no earlier even if the clock was set back.
CREATE TABLE queue_totals (
    queue         TEXT PRIMARY KEY CHECK (queue IN ('portfolio_sync', 'data_fetcher', 'ai_analysis')),
    queued        INTEGER NOT NULL CHECK (queued >= 0),
    running       INTEGER NOT NULL CHECK (running IN (0, 1)),
    completed     INTEGER NOT NULL CHECK (completed >= 0),
    failed        INTEGER NOT NULL CHECK (failed >= 0),
    cancelled     INTEGER NOT NULL CHECK (cancelled >= 0),
    last_ended_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO queue_totals
SELECT names.value,
    (SELECT count(*) FROM tasks WHERE queue = names.value AND state = 'queued'),
    (SELECT count(*) FROM tasks WHERE queue = names.value AND state = 'running'),
    (SELECT count(*) FROM tasks WHERE queue = names.value AND state = 'completed'),
    (SELECT count(*) FROM tasks WHERE queue = names.value AND state = 'failed'),
    (SELECT count(*) FROM tasks WHERE queue = names.value AND state = 'cancelled'),
    (SELECT coalesce(max(ended_at), 0) FROM attempts JOIN tasks ON seq = task_seq WHERE queue = names.value)
FROM json_each('["portfolio_sync", "data_fetcher", "ai_analysis"]') AS names;

CREATE TRIGGER count_new_task AFTER INSERT ON tasks BEGIN
    SELECT raise(ABORT, 'a new task is queued') WHERE NEW.state <> 'queued';
    UPDATE queue_totals SET queued = queued + 1 WHERE queue = NEW.queue;
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
-- Every claim is in the history.
CREATE TRIGGER begin_attempt AFTER UPDATE OF claim ON tasks WHEN NEW.claim > OLD.claim BEGIN
    INSERT INTO attempts (task_seq, claim, attempt, epoch, started_at)
    VALUES (NEW.seq, NEW.claim, NEW.attempt, NEW.epoch, NEW.started_at);
END;
-- With its task an attempt ends too; whatever else ends it is written by whoever does it.
CREATE TRIGGER end_attempt AFTER UPDATE OF state ON tasks WHEN OLD.state = 'running' AND NEW.finished_at IS NOT NULL BEGIN
    UPDATE attempts SET ended_at = NEW.finished_at, outcome = NEW.state, detail = NEW.error
    WHERE task_seq = NEW.seq AND claim = NEW.claim AND ended_at IS NULL;
END;
CREATE TRIGGER remember_end_of_attempt AFTER UPDATE OF ended_at ON attempts WHEN NEW.ended_at IS NOT NULL BEGIN
    UPDATE queue_totals SET last_ended_at = max(last_ended_at, NEW.ended_at)
    WHERE queue = (SELECT queue FROM tasks WHERE seq = NEW.task_seq);
END;

-- A commit costs by the pages that it changes, so an index holds no more than what is looked up in it (each ends with
-- seq). Queued tasks are found by tasks_in_claim_order; a run of one task by that task's id.
DROP INDEX tasks_by_state;
CREATE INDEX tasks_by_state ON tasks (queue, state) WHERE state <> 'queued';
DROP INDEX tasks_by_run;
CREATE INDEX tasks_by_run ON tasks (run_id) WHERE run_id <> id;
CREATE INDEX tasks_by_end ON tasks (queue, state, finished_at) WHERE finished_at IS NOT NULL;
-- Most tasks are due when they are enqueued, and do not burden this one.
CREATE INDEX queued_for_later ON tasks (queue, due_at) WHERE state = 'queued' AND due_at <> enqueued_at;
CREATE INDEX queued_by_approval ON tasks (queue, asked_at + approval_window)
    WHERE state = 'queued' AND approval_window IS NOT NULL;

-- Whether a process id still means that leader, and where its event loop answers.
ALTER TABLE leader ADD COLUMN started TEXT NOT NULL DEFAULT '';
ALTER TABLE leader ADD COLUMN port INTEGER NOT NULL DEFAULT 0;
