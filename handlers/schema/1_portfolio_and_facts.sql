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
