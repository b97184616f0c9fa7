BEGIN TRANSACTION;
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
INSERT INTO "attempts" VALUES(1,1,1,1,1709283600000000,1709283600000000,'completed',NULL);
INSERT INTO "attempts" VALUES(2,1,1,1,1709283600000000,1709283600000000,'completed',NULL);
INSERT INTO "attempts" VALUES(3,1,1,1,1709283600000000,1709283600000000,'completed',NULL);
INSERT INTO "attempts" VALUES(4,1,1,1,1709283600000000,1709283600000000,'failed','Yahoo does not know KO.');
INSERT INTO "attempts" VALUES(8,1,1,1,1709283600000000,1709283600000000,'retry','Yahoo answered 503 for KO.');
INSERT INTO "attempts" VALUES(9,1,1,2,1709283600000000,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(11,1,1,2,1709283600000000,NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(13,1,1,2,1709283600000000,1709283600000000,'snooze','A usage limit');
INSERT INTO "attempts" VALUES(14,1,1,2,1709283600000000,NULL,NULL,NULL);
CREATE TABLE bars (
    symbol     TEXT NOT NULL,
    exchange   TEXT NOT NULL,
    day        TEXT NOT NULL CHECK (day = date(day)),
    close      REAL NOT NULL CHECK (close > 0),
    adj_close  REAL CHECK (adj_close > 0),
    open       REAL CHECK (open > 0),
    high       REAL CHECK (high > 0),
    low        REAL CHECK (low > 0),
    volume     INTEGER CHECK (volume >= 0),
    source     TEXT NOT NULL CHECK (source <> ''),
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (symbol, exchange, day)
) STRICT, WITHOUT ROWID;
INSERT INTO "bars" VALUES('KO','NYSE','2024-02-29',60.0,59.5,NULL,NULL,NULL,1000,'yahoo',1709283600000000);
CREATE TABLE current_facts (
    symbol   TEXT NOT NULL,
    exchange TEXT NOT NULL,
    name     TEXT NOT NULL,
    fact     INTEGER NOT NULL,
    PRIMARY KEY (symbol, exchange, name)
) STRICT, WITHOUT ROWID;
INSERT INTO "current_facts" VALUES('KO','NYSE','last_close',1);
CREATE TABLE evidence (
    verdict  INTEGER NOT NULL REFERENCES verdicts (seq) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    claim    TEXT NOT NULL,
    fact     INTEGER NOT NULL REFERENCES facts (seq),
    value    REAL NOT NULL,
    PRIMARY KEY (verdict, position)
) STRICT, WITHOUT ROWID;
INSERT INTO "evidence" VALUES(1,0,'Its last close',1,60.0);
CREATE TABLE facts (
    seq        INTEGER PRIMARY KEY, -- explicit: an implicit rowid may change in a VACUUM, and verdicts cite it
    symbol     TEXT NOT NULL,
    exchange   TEXT NOT NULL,
    name       TEXT NOT NULL CHECK (name <> ''),
    value      REAL NOT NULL,
    unit       TEXT NOT NULL CHECK (unit <> ''),
    as_of      TEXT NOT NULL CHECK (as_of = date(as_of)),
    source     TEXT NOT NULL CHECK (source <> ''),
    inputs     TEXT NOT NULL,
    fetched_at INTEGER NOT NULL,
    UNIQUE (symbol, exchange, name, as_of, source, value, unit, inputs)
) STRICT;
INSERT INTO "facts" VALUES(1,'KO','NYSE','last_close',60.0,'USD','2024-02-29','yahoo','',1709283600000000);
CREATE TABLE fetches (
    seq      INTEGER PRIMARY KEY,
    symbol   TEXT NOT NULL,
    exchange TEXT NOT NULL,
    outcome  TEXT NOT NULL CHECK (outcome IN ('fetched', 'missing')),
    source   TEXT,
    reason   TEXT,
    through  TEXT NOT NULL CHECK (through = date(through)),
    task_id  TEXT NOT NULL,
    at       INTEGER NOT NULL,
    CHECK ((outcome = 'fetched') = (source IS NOT NULL)),
    CHECK ((outcome = 'missing') = (reason IS NOT NULL))
) STRICT;
INSERT INTO "fetches" VALUES(1,'KO','NYSE','fetched','yahoo',NULL,'2024-02-29','fetch-2',1709283600000000);
INSERT INTO "fetches" VALUES(2,'NONE','NYSE','missing',NULL,'unknown','2024-02-29','fetch-2',1709283600000000);
CREATE TABLE holdings (
    snapshot      INTEGER NOT NULL REFERENCES snapshots (seq),
    symbol        TEXT NOT NULL,
    exchange      TEXT NOT NULL,
    quantity      TEXT NOT NULL CHECK (CAST(quantity AS REAL) > 0),       -- exact decimals, as the broker wrote them
    average_price TEXT NOT NULL CHECK (CAST(average_price AS REAL) >= 0), -- 0: bonus shares
    currency      TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    name          TEXT,
    sector        TEXT,
    PRIMARY KEY (snapshot, symbol, exchange)
) STRICT, WITHOUT ROWID;
INSERT INTO "holdings" VALUES(1,'KO','NYSE','10','10','USD','Coca-Cola','Beverages');
CREATE TABLE holds (
    queue   TEXT NOT NULL CHECK (queue IN ('portfolio_sync', 'data_fetcher', 'ai_analysis')),
    source  TEXT NOT NULL,
    reason  TEXT NOT NULL CHECK (reason <> ''),
    held_at INTEGER NOT NULL,
    until   INTEGER,
    PRIMARY KEY (queue, source)
) STRICT, WITHOUT ROWID;
INSERT INTO "holds" VALUES('ai_analysis','usage_limit','Claude''s usage limit is reached',1709283600000000,1709301600000000);
CREATE TABLE leader (
    only_row  INTEGER PRIMARY KEY CHECK (only_row = 1),
    epoch     INTEGER NOT NULL,
    pid       INTEGER NOT NULL,
    command   TEXT NOT NULL,
    led_since INTEGER NOT NULL
) STRICT;
INSERT INTO "leader" VALUES(1,2,4567,'worker',1709283600000000);
CREATE TABLE listeners (
    port      INTEGER PRIMARY KEY,
    pid       INTEGER NOT NULL,
    opened_at INTEGER NOT NULL
) STRICT;
INSERT INTO "listeners" VALUES(45678,4567,1709283600000000);
CREATE TABLE prerequisites (
    task_seq  INTEGER NOT NULL REFERENCES tasks (seq) ON DELETE CASCADE,
    after_seq INTEGER NOT NULL REFERENCES tasks (seq) ON DELETE CASCADE CHECK (after_seq <> task_seq),
    -- set while the task is cancelled because this prerequisite failed or was cancelled
    broken    INTEGER NOT NULL DEFAULT 0 CHECK (broken IN (0, 1)),
    PRIMARY KEY (task_seq, after_seq)
) STRICT, WITHOUT ROWID;
INSERT INTO "prerequisites" VALUES(2,1,0);
INSERT INTO "prerequisites" VALUES(3,2,0);
INSERT INTO "prerequisites" VALUES(5,4,1);
CREATE TABLE schema_versions (component TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "schema_versions" VALUES('handlers',2);
INSERT INTO "schema_versions" VALUES('queues',1);
CREATE TABLE sessions (
    session_id    TEXT PRIMARY KEY,
    task_id       TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    claim         INTEGER NOT NULL,
    model         TEXT NOT NULL CHECK (model <> ''),
    stocks        TEXT NOT NULL CHECK (json_type(stocks) = 'array'),
    prompt_version TEXT NOT NULL,
    started_at    INTEGER NOT NULL,
    ended_as      TEXT CHECK (ended_as <> ''),
    detail        TEXT NOT NULL DEFAULT '',
    turns         INTEGER CHECK (turns >= 0),
    input_tokens  INTEGER CHECK (input_tokens >= 0),
    output_tokens INTEGER CHECK (output_tokens >= 0),
    cost_usd      REAL CHECK (cost_usd >= 0),
    duration      INTEGER CHECK (duration >= 0),
    CHECK ((ended_as IS NULL) = (duration IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO "sessions" VALUES('session-1','analysis-3','sync-1',1,'sonnet','["NYSE:KO"]','1',1709283600000000,'success','',3,4000,700,0.04,40000000);
INSERT INTO "sessions" VALUES('session-2','analysis-14','analysis-13',1,'sonnet','["NYSE:KO"]','1',1709283600000000,NULL,'',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE snapshots (
    seq      INTEGER PRIMARY KEY,
    account  TEXT NOT NULL CHECK (account <> ''),
    source   TEXT NOT NULL CHECK (source <> ''),
    task_id  TEXT NOT NULL,
    taken_at INTEGER NOT NULL
) STRICT;
INSERT INTO "snapshots" VALUES(1,'main','generic export holdings.csv','sync-1',1709283600000000);
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
INSERT INTO "tasks" VALUES(1,'sync-1','sync-1','portfolio_sync','work','{"symbols":["KO"]}','completed',0,1,NULL,1,3,1,1,600000000,1709283600000000,NULL,1709283600000000,1709283600000000,1709283600000000,1709283600000000,NULL,NULL,NULL,NULL,NULL,'{"holdings":1}',NULL,0);
INSERT INTO "tasks" VALUES(2,'fetch-2','sync-1','data_fetcher','work','{"symbols":["KO"]}','completed',5,0,NULL,1,3,1,1,600000000,1709283600000000,NULL,1709283600000000,1709283600000000,1709283600000000,1709283600000000,NULL,NULL,NULL,NULL,NULL,'{"fetched":["KO"]}',NULL,0);
INSERT INTO "tasks" VALUES(3,'analysis-3','sync-1','ai_analysis','work','{"symbols":["KO"]}','completed',0,0,NULL,1,3,1,1,600000000,1709283600000000,NULL,1709283600000000,1709283600000000,1709283600000000,1709283600000000,NULL,NULL,NULL,NULL,NULL,'{"verdicts":1}',NULL,0);
INSERT INTO "tasks" VALUES(4,'fetch-4','sync-1','data_fetcher','work','{"symbols":["KO"]}','failed',0,0,'prices of KO',1,3,1,1,600000000,1709283600000000,NULL,1709283600000000,1709283600000000,1709283600000000,1709283600000000,NULL,NULL,NULL,NULL,NULL,'{"missing":["KO"]}','Yahoo does not know KO.',0);
INSERT INTO "tasks" VALUES(5,'analysis-5','sync-1','ai_analysis','work','{"symbols":["KO"]}','cancelled',0,0,NULL,0,3,0,0,600000000,1709283600000000,86400000000,1709283600000000,1709283600000000,NULL,1709283600000000,NULL,NULL,NULL,NULL,NULL,NULL,'Prerequisite fetch-4 failed: Yahoo does not know KO.',0);
INSERT INTO "tasks" VALUES(6,'sync-6','sync-1','portfolio_sync','work','{"symbols":["KO"]}','cancelled',0,0,NULL,0,3,0,0,600000000,1709283600000000,NULL,1709283600000000,1709283600000000,NULL,1709283600000000,NULL,NULL,NULL,NULL,NULL,NULL,'cancelled by the user',0);
INSERT INTO "tasks" VALUES(7,'sync-7','sync-1','portfolio_sync','work','{"symbols":["KO"]}','queued',0,0,NULL,0,3,0,0,600000000,1709370000000000,NULL,1709283600000000,1709370000000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "tasks" VALUES(8,'fetch-8','sync-1','data_fetcher','work','{"symbols":["KO"]}','queued',0,0,NULL,1,3,1,1,600000000,1709283600000000,NULL,1709283600000000,1709283660000000,1709283600000000,NULL,NULL,NULL,NULL,NULL,'Yahoo answered 503 for KO.',NULL,NULL,0);
INSERT INTO "tasks" VALUES(9,'fetch-9','fetch-9','data_fetcher','work','{"symbols":["KO"]}','running',9,0,NULL,1,3,1,2,600000000,1709283600000000,NULL,1709283600000000,1709283600000000,1709283600000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "tasks" VALUES(10,'fetch-10','fetch-9','data_fetcher','work','{"symbols":["KO"]}','queued',0,0,NULL,0,3,0,0,600000000,1709283600000000,NULL,1709283600000000,1709283600000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "tasks" VALUES(11,'sync-11','fetch-9','portfolio_sync','work','{"symbols":["KO"]}','running',9,0,NULL,1,1,1,2,600000000,1709283600000000,NULL,1709283600000000,1709283600000000,1709283600000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "tasks" VALUES(12,'sync-12','fetch-9','portfolio_sync','work','{"symbols":["KO"]}','queued',0,0,NULL,0,3,0,0,600000000,1709283600000000,NULL,1709283600000000,1709283600000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "tasks" VALUES(13,'analysis-13','analysis-13','ai_analysis','work','{"symbols":["KO"]}','queued',0,1,NULL,0,3,1,2,600000000,1709301600000000,NULL,1709283600000000,1709301600000000,1709283600000000,NULL,NULL,NULL,NULL,NULL,'A usage limit',NULL,NULL,0);
INSERT INTO "tasks" VALUES(14,'analysis-14','analysis-13','ai_analysis','work','{"symbols":["KO"]}','running',0,0,NULL,1,3,1,2,600000000,1709283600000000,86400000000,1709283600000000,1709283600000000,1709283600000000,NULL,NULL,NULL,NULL,'cancelled by the user',NULL,NULL,NULL,0);
CREATE TABLE verdicts (
    seq            INTEGER PRIMARY KEY,
    task_id        TEXT NOT NULL,
    revision       INTEGER NOT NULL, -- of the task: the retry of a completed analysis judges anew
    run_id         TEXT NOT NULL,
    symbol         TEXT NOT NULL,
    exchange       TEXT NOT NULL,
    analyst        TEXT NOT NULL CHECK (analyst IN ('claude', 'baseline', 'none')),
    action         TEXT NOT NULL CHECK (action IN ('ADD', 'HOLD', 'TRIM', 'EXIT', 'INSUFFICIENT_DATA')),
    conviction     REAL NOT NULL CHECK (conviction BETWEEN 0 AND 1),
    horizon_months INTEGER CHECK (horizon_months BETWEEN 1 AND 60),
    thesis         TEXT NOT NULL,
    points         TEXT NOT NULL CHECK (json_type(points) = 'object'),
    as_of          TEXT CHECK (as_of = date(as_of)),
    data_quality   TEXT NOT NULL CHECK (json_type(data_quality) = 'array'),
    reason         TEXT CHECK (reason <> ''),
    session_id     TEXT REFERENCES sessions (session_id),
    model          TEXT,
    created_at     INTEGER NOT NULL,
    UNIQUE (task_id, revision, symbol, exchange),
    CHECK ((action = 'INSUFFICIENT_DATA') = (reason IS NOT NULL)),
    CHECK (analyst <> 'none' OR action = 'INSUFFICIENT_DATA'),
    CHECK ((analyst = 'claude') = (session_id IS NOT NULL)),
    CHECK ((analyst = 'claude') = (model IS NOT NULL))
) STRICT;
INSERT INTO "verdicts" VALUES(1,'analysis-3',0,'sync-1','KO','NYSE','claude','HOLD',0.5,12,'It sells drinks in every weather and pays for waiting, but grows no faster than its price.','{"bull_points": ["It is liked."], "bear_points": ["It is sweet."], "risks": ["Taxes on sugar."], "would_change_view": ["A lower price."], "catalysts": [{"what": "The yearly report", "date": "2024-04-30"}]}','2024-02-29','[]',NULL,'session-1','sonnet',1709283600000000);
CREATE UNIQUE INDEX one_running_task_per_queue ON tasks (queue) WHERE state = 'running';
CREATE UNIQUE INDEX one_unfinished_task_per_dedup_key ON tasks (queue, dedup_key)
    WHERE state IN ('queued', 'running') AND dedup_key IS NOT NULL;
CREATE INDEX tasks_in_claim_order ON tasks (queue, priority DESC, carried DESC, seq) WHERE state = 'queued';
CREATE INDEX tasks_by_state ON tasks (queue, state, finished_at);
CREATE INDEX tasks_by_run ON tasks (run_id);
CREATE INDEX dependents ON prerequisites (after_seq);
CREATE INDEX snapshots_by_account ON snapshots (account, seq);
CREATE TRIGGER snapshots_never_change BEFORE UPDATE ON snapshots
BEGIN SELECT RAISE(ABORT, 'a snapshot never changes'); END;
CREATE TRIGGER snapshots_stay BEFORE DELETE ON snapshots
BEGIN SELECT RAISE(ABORT, 'a snapshot stays'); END;
CREATE TRIGGER holdings_never_change BEFORE UPDATE ON holdings
BEGIN SELECT RAISE(ABORT, 'a snapshot never changes'); END;
CREATE TRIGGER holdings_stay BEFORE DELETE ON holdings
BEGIN SELECT RAISE(ABORT, 'a snapshot stays'); END;
CREATE INDEX fetches_by_stock ON fetches (symbol, exchange, outcome, seq);
CREATE INDEX sessions_by_task ON sessions (task_id);
CREATE INDEX verdicts_by_stock ON verdicts (symbol, exchange, seq);
CREATE INDEX verdicts_by_run ON verdicts (run_id);
CREATE INDEX evidence_by_fact ON evidence (fact);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('tasks',14);
COMMIT;
