-- Version 1. A machine is known by what launched it (rule 10), not by its EK; a boot is one EK with its report.
CREATE TABLE machine (
    name              TEXT PRIMARY KEY,
    launch_identity   BLOB NOT NULL,
    measurement       TEXT NOT NULL,
    clone_alarm       INTEGER NOT NULL DEFAULT 0,
    created_at        INTEGER NOT NULL
) STRICT;

CREATE TABLE boot (
    machine           TEXT NOT NULL REFERENCES machine(name),
    number            INTEGER NOT NULL,
    attester          TEXT NOT NULL UNIQUE,
    ek_public           BLOB NOT NULL UNIQUE,
    report            BLOB NOT NULL,
    registered_at     INTEGER NOT NULL,
    revoked_at        INTEGER,
    PRIMARY KEY (machine, number)
) STRICT;

CREATE TABLE verdict (
    id                INTEGER PRIMARY KEY,
    attester          TEXT NOT NULL REFERENCES boot(attester),
    at                INTEGER NOT NULL,
    verdict           TEXT NOT NULL,
    findings          TEXT NOT NULL,
    ear               TEXT NOT NULL
) STRICT;
CREATE INDEX verdict_of_attester ON verdict(attester, id);

CREATE TABLE audit (
    id                INTEGER PRIMARY KEY,
    at                INTEGER NOT NULL,
    machine           TEXT,
    event             TEXT NOT NULL,
    detail            TEXT NOT NULL
) STRICT;
