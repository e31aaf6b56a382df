-- Version 1: what SQLite has at version 3, in PostgreSQL's types. Times are seconds since 1970, due times what their kind says.
CREATE TABLE policy (
    name              TEXT PRIMARY KEY,
    document          TEXT NOT NULL,
    changed_at        BIGINT NOT NULL
);
CREATE TABLE machine (
    name              TEXT PRIMARY KEY,
    launch_identity   BYTEA,
    measurement       TEXT,
    policy            TEXT REFERENCES policy(name),
    clone_alarm       BOOLEAN NOT NULL DEFAULT false,
    created_at        BIGINT NOT NULL
);
CREATE INDEX machine_with_policy ON machine(policy) WHERE policy IS NOT NULL;
CREATE TABLE boot (
    machine           TEXT NOT NULL REFERENCES machine(name) ON DELETE CASCADE,
    number            BIGINT NOT NULL,
    attester          TEXT NOT NULL UNIQUE,
    ek_public         BYTEA NOT NULL UNIQUE,
    ak_public         BYTEA NOT NULL,
    report            BYTEA NOT NULL,
    profile           TEXT NOT NULL,
    nonce             BYTEA,
    manifest          BYTEA,
    certificates      BYTEA,
    registered_at     BIGINT NOT NULL,
    revoked_at        BIGINT,
    PRIMARY KEY (machine, number)
);
CREATE INDEX boot_alive ON boot(machine) WHERE revoked_at IS NULL;
CREATE TABLE standing (
    attester          TEXT PRIMARY KEY REFERENCES boot(attester) ON DELETE CASCADE,
    at                BIGINT NOT NULL,
    verdict           TEXT NOT NULL,
    findings          TEXT NOT NULL,
    trusted_at        BIGINT,
    rounds            BIGINT NOT NULL,
    clock             BYTEA,
    policy_id         TEXT,
    progress          BYTEA
);
CREATE TABLE token (
    name              TEXT PRIMARY KEY,
    digest            BYTEA NOT NULL UNIQUE,
    roles             TEXT NOT NULL,
    created_at        BIGINT NOT NULL
);
CREATE TABLE item (
    kind              TEXT NOT NULL,
    name              TEXT NOT NULL,
    body              TEXT NOT NULL,
    version           BIGINT NOT NULL,
    due_at            BIGINT,
    PRIMARY KEY (kind, name)
);
CREATE INDEX item_due ON item(kind, due_at) WHERE due_at IS NOT NULL;
CREATE TABLE audit (
    id                BIGINT PRIMARY KEY,
    at                BIGINT NOT NULL,
    machine           TEXT,
    event             TEXT NOT NULL,
    detail            TEXT NOT NULL,
    hash              BYTEA NOT NULL
);
-- Rises with each change of policies, machines or tokens, so that every process sees those of the others.
CREATE SEQUENCE generation;
