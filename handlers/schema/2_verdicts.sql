-- Step 2 of the domain's schema: verdicts, the facts that carry them, and the Claude sessions that cost money.
-- Moments and spans are whole microseconds; moments since 1970-01-01 UTC.

-- One row per Claude session, written before its process starts; `ended_as` is NULL while it runs, and stays so
-- if the process of the desk died under it (its cost is then unknown, not zero).
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
CREATE INDEX sessions_by_task ON sessions (task_id);

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
CREATE INDEX verdicts_by_stock ON verdicts (symbol, exchange, seq);
CREATE INDEX verdicts_by_run ON verdicts (run_id);

CREATE TABLE evidence (
    verdict  INTEGER NOT NULL REFERENCES verdicts (seq) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    claim    TEXT NOT NULL,
    fact     INTEGER NOT NULL REFERENCES facts (seq),
    value    REAL NOT NULL,
    PRIMARY KEY (verdict, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX evidence_by_fact ON evidence (fact);
