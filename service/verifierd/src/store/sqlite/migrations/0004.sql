-- Version 4. For people to look at, and for policies to be tried on: what the report says of the platform, the last quote, and
-- the logs behind it, in parts as they came; only of boots that are not over.
ALTER TABLE boot ADD COLUMN platform TEXT;
ALTER TABLE standing ADD COLUMN shown TEXT;
CREATE TABLE log_part (
    attester          TEXT NOT NULL,
    log               TEXT NOT NULL,
    first             INTEGER NOT NULL,
    bytes             BLOB NOT NULL,
    PRIMARY KEY (attester, log, first)
) STRICT;
