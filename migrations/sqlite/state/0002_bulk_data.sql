-- Log events are kept here in backup files alone; in a data directory they are files.
CREATE TABLE event_group (
    id  INTEGER PRIMARY KEY,
    key TEXT NOT NULL -- the group's identity as JSON
);
CREATE TABLE log_event (
    group_id    INTEGER NOT NULL,
    at          INTEGER NOT NULL, -- the event's own time, milliseconds since 1970
    sequence    INTEGER NOT NULL,
    stream      TEXT NOT NULL,
    ingested_at INTEGER NOT NULL,
    message     TEXT NOT NULL
);
