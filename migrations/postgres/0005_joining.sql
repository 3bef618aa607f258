-- Tokens by which machines join, and the machines that did.
CREATE TABLE join_token (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE enrolment (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
