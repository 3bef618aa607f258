-- Tokens by which machines join, and the machines that did.
CREATE TABLE join_token (row INTEGER PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE enrolment (row INTEGER PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL);
