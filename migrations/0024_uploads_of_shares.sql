-- The share through which a file is or was uploaded.
ALTER TABLE files ADD COLUMN share_id TEXT;

CREATE INDEX files_pending_of_share ON files (share_id) WHERE share_id IS NOT NULL AND lifecycle_status = 'pending';
