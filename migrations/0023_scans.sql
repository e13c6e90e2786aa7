-- The verdict of the content scanner, kept with each file. Both columns are NULL if the file was stored while no
-- scanner was set.

ALTER TABLE files ADD COLUMN scan_verdict TEXT CHECK (scan_verdict IN ('clean', 'unscanned', 'derived'));
-- When the scanner returned the verdict, or when the scan failed.
ALTER TABLE files ADD COLUMN scanned_at TEXT;
