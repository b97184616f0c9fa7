-- Step 5 of the domain's schema: what currencies were worth.

-- The reference rates of the European Central Bank: how much of the currency one euro bought on that day.
CREATE TABLE rates (
    day        TEXT NOT NULL CHECK (day = date(day)),
    currency   TEXT NOT NULL CHECK (length(currency) = 3 AND currency != 'EUR'),
    per_euro   TEXT NOT NULL CHECK (CAST(per_euro AS REAL) > 0), -- exactly as it was published
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (day, currency)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER a_rate_never_changes BEFORE UPDATE ON rates
BEGIN SELECT raise(ABORT, 'a rate never changes'); END;
