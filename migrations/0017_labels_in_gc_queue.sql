-- A temporary object may have a label, by which later requests find the object until it is due for collection.
ALTER TABLE gc_queue ADD COLUMN label TEXT;

CREATE INDEX gc_queue_by_label ON gc_queue (label, not_before) WHERE label IS NOT NULL;
