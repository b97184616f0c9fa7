-- Step 4: the newest attempts of all queues are found by their tasks, without a look at older ones.

-- Tasks that ran and did not end by it. A task that is claimed once and ends never enters, so it costs no commit a page;
-- the others are found by tasks_by_end. A retry by hand makes started_at NULL again.
CREATE INDEX tasks_begun ON tasks (started_at) WHERE state IN ('queued', 'cancelled') AND claim > 0;
