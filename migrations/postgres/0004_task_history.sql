-- Stopped tasks that are no longer in memory, as DescribeTasks shows them, for as long as
-- --task-history says.
CREATE TABLE task_history (
    key        TEXT PRIMARY KEY,
    cluster    TEXT NOT NULL,
    stopped_at BIGINT NOT NULL, -- milliseconds since 1970
    body       JSONB NOT NULL
);
CREATE INDEX task_history_stopped_at ON task_history (stopped_at);
