-- Who holds an idempotency key, for how long, and what the request has done.

-- The try that holds the key; its effect is refused once another has taken over.
ALTER TABLE idempotency_keys ADD COLUMN claim TEXT NOT NULL DEFAULT '';
-- A try that has neither answered nor had its effect by then may be taken over.
ALTER TABLE idempotency_keys ADD COLUMN lease_until TEXT;
-- JSON: what the request did, written in the batch that did it; NULL until then.
ALTER TABLE idempotency_keys ADD COLUMN effect TEXT;
