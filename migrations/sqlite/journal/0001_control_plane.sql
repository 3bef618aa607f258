-- One row per commit. `changes` is a JSON text array of [table, row, key, body or null].
CREATE TABLE journal (
    revision INTEGER PRIMARY KEY,
    epoch    INTEGER NOT NULL,
    at       INTEGER NOT NULL, -- transaction time, milliseconds since 1970
    changes  TEXT NOT NULL
);

-- Who may commit, and what was committed last. Exactly one row.
CREATE TABLE lease (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    epoch    INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    at       INTEGER NOT NULL
);
INSERT INTO lease (id, epoch, revision, at) VALUES (1, 0, 0, 0);
