-- Version 3. What a protocol keeps of its own, as a document; where something has to be done about it, the time when.
CREATE TABLE item (
    kind              TEXT NOT NULL,
    name              TEXT NOT NULL,
    body              TEXT NOT NULL,
    version           INTEGER NOT NULL,
    due_at            INTEGER,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX item_due ON item(kind, due_at) WHERE due_at IS NOT NULL;
