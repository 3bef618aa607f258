-- One table per kind of record: the newest form as of the folded revision.
CREATE TABLE cluster (row INTEGER PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE setting (row INTEGER PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE family (row INTEGER PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE task_definition (row INTEGER PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE instance (row INTEGER PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE task (row INTEGER PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE log_group (row INTEGER PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE log_stream (row INTEGER PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL);

-- How far the journal is folded into the tables above. Exactly one row.
CREATE TABLE folded (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL,
    at       INTEGER NOT NULL
);
INSERT INTO folded (id, revision, at) VALUES (1, 0, 0);

-- Records that could not be read and that an operator took out of the way.
CREATE TABLE set_aside (
    id         INTEGER PRIMARY KEY,
    table_name TEXT NOT NULL,
    row        INTEGER NOT NULL,
    key        TEXT NOT NULL,
    body       TEXT NOT NULL,
    revision   INTEGER NOT NULL -- the folded revision at that time
);
