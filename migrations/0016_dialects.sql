-- The options with which the owner wants a file to be read, as a JSON object; NULL if every rule is detected. The
-- column dialect describes how the file was read when its profile was computed.
ALTER TABLE files ADD COLUMN dialect_options TEXT;
