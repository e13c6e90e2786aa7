-- Cuts that a user has given a name, to run them on other files.
CREATE TABLE saved_recipes (
    id         TEXT PRIMARY KEY NOT NULL,
    user_id    TEXT NOT NULL,
    name       TEXT NOT NULL,
    -- JSON: a body for POST /api/files/{id}/cut.
    cut        TEXT NOT NULL,
    -- A JSON array of the columns that the cut names.
    columns    TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX saved_recipes_by_name ON saved_recipes (user_id, name);
