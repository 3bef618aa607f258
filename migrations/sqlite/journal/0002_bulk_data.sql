-- Log events and secrets are files beside this one.

-- One row while a restore into this store is under way, or was cut short.
CREATE TABLE filling (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    what TEXT NOT NULL
);
