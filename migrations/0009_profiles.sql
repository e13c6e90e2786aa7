-- What is known of a file's content lies beside its bytes (profile, row index); its row says so.

-- Bytes of the stored profile; NULL while there is none.
ALTER TABLE files ADD COLUMN profile_bytes INTEGER;
-- How often a background pass has begun to read the file for its profile.
ALTER TABLE files ADD COLUMN learn_tries INTEGER NOT NULL DEFAULT 0;

CREATE INDEX files_to_learn ON files (lifecycle_status, created_at) WHERE profile_bytes IS NULL;

-- Bytes of the file that a cut did not have to read, because the index said that no row there can match.
ALTER TABLE cuts ADD COLUMN bytes_skipped INTEGER NOT NULL DEFAULT 0;
