-- Version 2. Belief can be made again from what is kept of a boot; a machine may be added before it registers; policies
-- have names; of rounds, where the boot stands is kept, and each verdict is a line of the audit log, whose lines are chained.
CREATE TABLE policy (
    name              TEXT PRIMARY KEY,
    document          TEXT NOT NULL,
    changed_at        INTEGER NOT NULL
) STRICT;

CREATE TABLE machine_2 (
    name              TEXT PRIMARY KEY,
    launch_identity   BLOB,
    measurement       TEXT,
    policy            TEXT REFERENCES policy(name),
    clone_alarm       INTEGER NOT NULL DEFAULT 0,
    created_at        INTEGER NOT NULL
) STRICT;
INSERT INTO machine_2 (name, launch_identity, measurement, clone_alarm, created_at)
    SELECT name, launch_identity, measurement, clone_alarm, created_at FROM machine;
DROP TABLE machine;
ALTER TABLE machine_2 RENAME TO machine;
CREATE INDEX machine_with_policy ON machine(policy) WHERE policy IS NOT NULL;

-- Null in boots of version 1: they have to register again.
ALTER TABLE boot ADD COLUMN ak_public BLOB;
ALTER TABLE boot ADD COLUMN profile TEXT;
ALTER TABLE boot ADD COLUMN nonce BLOB;
ALTER TABLE boot ADD COLUMN manifest BLOB;
ALTER TABLE boot ADD COLUMN certificates BLOB;

CREATE TABLE standing (
    attester          TEXT PRIMARY KEY,
    at                INTEGER NOT NULL,
    verdict           TEXT NOT NULL,
    findings          TEXT NOT NULL,
    trusted_at        INTEGER,
    rounds            INTEGER NOT NULL,
    clock             BLOB,
    policy_id         TEXT,
    progress          BLOB
) STRICT, WITHOUT ROWID;
INSERT INTO standing (attester, at, verdict, findings, trusted_at, rounds)
    SELECT v.attester, v.at, v.verdict, v.findings,
           (SELECT max(t.at) FROM verdict t WHERE t.attester = v.attester AND t.verdict = 'trusted'),
           (SELECT count(*) FROM verdict c WHERE c.attester = v.attester)
    FROM verdict v WHERE v.id = (SELECT max(l.id) FROM verdict l WHERE l.attester = v.attester);
DROP TABLE verdict;

CREATE TABLE token (
    name              TEXT PRIMARY KEY,
    digest            BLOB NOT NULL UNIQUE,
    roles             TEXT NOT NULL,
    created_at        INTEGER NOT NULL
) STRICT;

ALTER TABLE audit ADD COLUMN hash BLOB;
