-- Step 4 of the domain's schema: what became of the verdicts.

-- The session on whose close a verdict stood. A verdict that renews another has none: its judgement was made before.
CREATE TABLE starts (
    verdict INTEGER PRIMARY KEY REFERENCES verdicts (seq) ON DELETE CASCADE,
    day     TEXT NOT NULL CHECK (day = date(day)),
    close   REAL NOT NULL CHECK (close > 0),
    -- of the benchmark on that day, or the session before; NULL where it was not known
    benchmark_close REAL CHECK (benchmark_close > 0)
) STRICT;

-- Total returns from there to the first session at least so many weeks later, as shares: 0.05 is 5 %.
CREATE TABLE outcomes (
    verdict          INTEGER NOT NULL REFERENCES starts (verdict) ON DELETE CASCADE,
    weeks            INTEGER NOT NULL CHECK (weeks IN (1, 4, 12)),
    day              TEXT NOT NULL CHECK (day = date(day)),
    close            REAL NOT NULL CHECK (close > 0),
    return           REAL NOT NULL CHECK (return > -1),
    benchmark_return REAL CHECK (benchmark_return > -1), -- NULL while the benchmark's prices are missing
    filled_at        INTEGER NOT NULL,
    PRIMARY KEY (verdict, weeks)
) STRICT, WITHOUT ROWID;

-- NULL where the export named none, and in snapshots of before this step.
ALTER TABLE holdings ADD COLUMN isin TEXT CHECK (length(isin) = 12);
