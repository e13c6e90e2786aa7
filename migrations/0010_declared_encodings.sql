-- The encoding an upload declared for its bytes, by its name in the Encoding Standard; NULL when it declared none, and
-- the start of the file decides. A byte order mark overrules it.
ALTER TABLE files ADD COLUMN encoding TEXT;
