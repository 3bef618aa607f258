-- One row per commit. `changes` is a JSON array of [table, row, key, body or null]. It lives for
-- seconds, so compressing it would only cost time.
CREATE TABLE journal (
    revision BIGINT PRIMARY KEY,
    epoch    BIGINT NOT NULL,
    at       BIGINT NOT NULL, -- transaction time, milliseconds since 1970
    changes  JSONB NOT NULL
);
ALTER TABLE journal ALTER COLUMN changes SET STORAGE EXTERNAL;

-- Who may commit, until when by the database's clock, and what was committed last. Exactly one
-- row, rewritten by every commit: the free room keeps its versions within one page.
CREATE TABLE lease (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    epoch      BIGINT NOT NULL,
    revision   BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    holder     TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 10);
INSERT INTO lease (id, epoch, revision, at, holder, expires_at)
VALUES (1, 0, 0, 0, '', TIMESTAMPTZ '1970-01-01 00:00:00+00');

-- One table per kind of record: the newest form as of the folded revision.
CREATE TABLE cluster (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE setting (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE family (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE task_definition (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE instance (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE task (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE log_group (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE log_stream (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);

-- How far the journal is folded into the tables above. Exactly one row.
CREATE TABLE folded (
    id       BIGINT PRIMARY KEY CHECK (id = 1),
    revision BIGINT NOT NULL,
    at       BIGINT NOT NULL
);
INSERT INTO folded (id, revision, at) VALUES (1, 0, 0);

-- Records that could not be read and that an operator took out of the way.
CREATE TABLE set_aside (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name TEXT NOT NULL,
    row        BIGINT NOT NULL,
    key        TEXT NOT NULL,
    body       JSONB NOT NULL,
    revision   BIGINT NOT NULL -- the folded revision at that time
);
