-- Version 2: what SQLite has at version 4.
ALTER TABLE boot ADD COLUMN platform TEXT;
ALTER TABLE standing ADD COLUMN shown TEXT;
CREATE TABLE log_part (
    attester          TEXT NOT NULL REFERENCES boot(attester) ON DELETE CASCADE,
    log               TEXT NOT NULL,
    first             BIGINT NOT NULL,
    bytes             BYTEA NOT NULL,
    PRIMARY KEY (attester, log, first)
);
