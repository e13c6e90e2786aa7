-- The switches that an operator has set. A switch without a row has the value of its variable (READ_ONLY and others).
CREATE TABLE switches (
    name       TEXT PRIMARY KEY NOT NULL CHECK (name IN ('cache', 'uploads', 'cuts', 'shares', 'read_only')),
    is_on      INTEGER NOT NULL CHECK (is_on IN (0, 1)),
    changed_at TEXT NOT NULL
) STRICT;
