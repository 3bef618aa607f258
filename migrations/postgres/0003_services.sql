-- Services and what belongs to them, and capacity providers that users made.
CREATE TABLE capacity_provider (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE service (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE service_revision (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE deployment (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE service_deployment (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE task_set (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
CREATE TABLE service_event (row BIGINT PRIMARY KEY, key TEXT NOT NULL, body JSONB NOT NULL);
