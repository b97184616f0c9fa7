-- Step 3 of the domain's schema: what a verdict was made of, what was refused on the way, and what sessions may cost.
-- Moments and spans are whole microseconds; moments since 1970-01-01 UTC.

-- Exactly what an analyst was given of one stock, by the SHA-256 of its content. Verdicts share equal ones.
CREATE TABLE inputs (
    hash    TEXT PRIMARY KEY CHECK (length(hash) = 64),
    content TEXT NOT NULL CHECK (json_type(content) = 'object')
) STRICT, WITHOUT ROWID;

-- `renews` is the verdict of which this one says that it is still current: same inputs, same instructions, same model.
ALTER TABLE verdicts ADD COLUMN inputs TEXT REFERENCES inputs (hash);
ALTER TABLE verdicts ADD COLUMN renews INTEGER REFERENCES verdicts (seq) CHECK (renews < seq);

-- A derived number names its operation and the second fact: the first less, by, or as a change from the second.
ALTER TABLE evidence ADD COLUMN unit TEXT CHECK (unit <> ''); -- as printed ("INR crore"); NULL before this step
ALTER TABLE evidence ADD COLUMN operation TEXT CHECK (operation IN ('difference', 'ratio', 'percent_change'));
ALTER TABLE evidence ADD COLUMN other_fact INTEGER REFERENCES facts (seq)
    CHECK ((other_fact IS NULL) = (operation IS NULL));
CREATE INDEX evidence_by_other_fact ON evidence (other_fact) WHERE other_fact IS NOT NULL;

-- What a session submitted and the desk refused, in the words in which the model was told.
CREATE TABLE refusals (
    seq        INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (session_id),
    symbol     TEXT NOT NULL,
    exchange   TEXT NOT NULL,
    reason     TEXT NOT NULL CHECK (reason <> ''),
    refused_at INTEGER NOT NULL
) STRICT;
CREATE INDEX refusals_by_session ON refusals (session_id);

-- The most that a session may cost, who pays for it, and whether its tokens and cost are what was seen before its
-- end was lost sight of: at least so much.
ALTER TABLE sessions ADD COLUMN budget_usd REAL CHECK (budget_usd > 0);
ALTER TABLE sessions ADD COLUMN billing TEXT CHECK (billing IN ('api', 'subscription'));
ALTER TABLE sessions ADD COLUMN at_least INTEGER NOT NULL DEFAULT 0 CHECK (at_least IN (0, 1));
ALTER TABLE sessions ADD COLUMN seen_at INTEGER; -- when it last said something
CREATE INDEX sessions_by_start ON sessions (started_at);
CREATE INDEX open_sessions ON sessions (session_id) WHERE ended_as IS NULL;

-- What Claude last said of each usage window ("five_hour"); `utilization` is a share, 0 to 1.
CREATE TABLE usage_windows (
    window      TEXT PRIMARY KEY CHECK (window <> ''),
    status      TEXT NOT NULL CHECK (status IN ('allowed', 'allowed_warning', 'rejected')),
    utilization REAL CHECK (utilization >= 0),
    resets_at   INTEGER,
    seen_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- News and filings: text that somebody else wrote, cleaned before it is stored. Never a number that a verdict may cite.
CREATE TABLE texts (
    seq          INTEGER PRIMARY KEY,
    symbol       TEXT NOT NULL,
    exchange     TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('news', 'filing')),
    title        TEXT NOT NULL CHECK (title <> ''),
    body         TEXT NOT NULL,
    source       TEXT NOT NULL CHECK (source <> ''),
    url          TEXT,
    published_at INTEGER NOT NULL,
    fetched_at   INTEGER NOT NULL,
    UNIQUE (symbol, exchange, kind, source, title, published_at)
) STRICT;
CREATE INDEX texts_by_stock ON texts (symbol, exchange, published_at);
