-- Step 1 of the domain's schema: what is held, and the numbers about it. Moments are microseconds since 1970 UTC.

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

-- Which fact of each name is the newest; the older ones stay for the verdicts that cite them.
CREATE TABLE current_facts (
    symbol   TEXT NOT NULL,
    exchange TEXT NOT NULL,
    name     TEXT NOT NULL,
    fact     INTEGER NOT NULL,
    PRIMARY KEY (symbol, exchange, name)
) STRICT, WITHOUT ROWID;

-- What an account held when it was last synced. A snapshot never changes; the newest of an account is current.
CREATE TABLE snapshots (
    seq      INTEGER PRIMARY KEY,
    account  TEXT NOT NULL CHECK (account <> ''),
    source   TEXT NOT NULL CHECK (source <> ''),
    task_id  TEXT NOT NULL,
    taken_at INTEGER NOT NULL
) STRICT;
CREATE INDEX snapshots_by_account ON snapshots (account, seq);

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

CREATE TRIGGER snapshots_never_change BEFORE UPDATE ON snapshots
BEGIN SELECT RAISE(ABORT, 'a snapshot never changes'); END;
CREATE TRIGGER snapshots_stay BEFORE DELETE ON snapshots
BEGIN SELECT RAISE(ABORT, 'a snapshot stays'); END;
CREATE TRIGGER holdings_never_change BEFORE UPDATE ON holdings
BEGIN SELECT RAISE(ABORT, 'a snapshot never changes'); END;
CREATE TRIGGER holdings_stay BEFORE DELETE ON holdings
BEGIN SELECT RAISE(ABORT, 'a snapshot stays'); END;

-- One trading day of a stock, as the newest fetch gave it.
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

-- Each time the sources were asked for a stock. `through` is the last session that was asked for.
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
CREATE INDEX fetches_by_stock ON fetches (symbol, exchange, outcome, seq);
