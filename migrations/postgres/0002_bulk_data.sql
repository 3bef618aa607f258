-- Log groups that have events: how far their numbering came, and what they take. `key` is the
-- group's identity as JSON. One that is gone waits for its events to be purged.
CREATE TABLE event_group (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key           TEXT NOT NULL,
    last_sequence BIGINT NOT NULL DEFAULT 0,
    piece         BIGINT NOT NULL DEFAULT 0, -- the piece that is written to,
    piece_bytes   BIGINT NOT NULL DEFAULT 0, -- what is in it,
    piece_day     BIGINT NOT NULL DEFAULT -1, -- and the day of its events' arrival
    bytes         BIGINT NOT NULL DEFAULT 0,
    gone          BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE UNIQUE INDEX event_group_key ON event_group (key) WHERE NOT gone;

-- Log streams that have events. The events of one that is gone are nobody's.
CREATE TABLE event_stream (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_id BIGINT NOT NULL,
    name     TEXT NOT NULL,
    gone     BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE UNIQUE INDEX event_stream_name ON event_stream (group_id, name) WHERE NOT gone;
CREATE INDEX event_stream_gone ON event_stream (id) WHERE gone;

-- A group's events are dropped in pieces, the oldest first. One row says what a piece holds of
-- one stream. No piece spans two days.
CREATE TABLE event_piece (
    group_id      BIGINT NOT NULL,
    piece         BIGINT NOT NULL,
    stream_id     BIGINT NOT NULL,
    day           BIGINT NOT NULL, -- days since 1970
    events        BIGINT NOT NULL,
    bytes         BIGINT NOT NULL,
    first_at      BIGINT NOT NULL, -- milliseconds since 1970
    last_at       BIGINT NOT NULL,
    last_ingested BIGINT NOT NULL,
    PRIMARY KEY (group_id, piece, stream_id)
);
CREATE INDEX event_piece_stream ON event_piece (stream_id);
CREATE INDEX event_piece_day ON event_piece (day);

-- Log events, one partition for each day of arrival, made as events come in. The high bits of a
-- sequence number are the time of arrival in milliseconds since 1970, the low 20 bits count.
CREATE TABLE log_event (
    group_id    BIGINT NOT NULL,
    at          BIGINT NOT NULL, -- the event's own time, milliseconds since 1970
    sequence    BIGINT NOT NULL,
    stream_id   BIGINT NOT NULL,
    piece       BIGINT NOT NULL,
    ingested_at BIGINT NOT NULL,
    message     TEXT NOT NULL,
    PRIMARY KEY (group_id, at, sequence)
) PARTITION BY RANGE (sequence);

-- What servers that share the database must have in common, sealed under their secret file.
CREATE TABLE secret (
    name   TEXT PRIMARY KEY,
    sealed BYTEA NOT NULL
);

-- One row while a restore or a move into this database is under way, or was cut short.
CREATE TABLE filling (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    what TEXT NOT NULL
);
