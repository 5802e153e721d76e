-- The append-only log of objects: one row a write, one global revision for all kinds.
-- operation: 0 created, 1 changed, 2 deleted (the object is then its last state).
CREATE TABLE log (
    revision  INTEGER PRIMARY KEY,
    resource  TEXT    NOT NULL,
    namespace TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    operation INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    object    TEXT    NOT NULL
) STRICT;

CREATE INDEX log_by_key ON log (resource, namespace, name, revision);

-- floor: the highest revision that compaction may have removed rows at; watches from below it are answered 410.
CREATE TABLE compaction (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    floor INTEGER NOT NULL
) STRICT;

INSERT INTO compaction (one, floor) VALUES (1, 0);
