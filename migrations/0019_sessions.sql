-- Sessions that can be listed and ended, and accounts that can be disabled.

-- Access tokens of other issuers that were issued before this time are refused.
ALTER TABLE users ADD COLUMN tokens_after TEXT;
-- When an admin disabled the account.
ALTER TABLE users ADD COLUMN disabled_at TEXT;

-- When the session began. NULL in rows that older versions wrote: then the time of the first token that is left.
ALTER TABLE refresh_tokens ADD COLUMN started_at TEXT;
-- User agent of the request that began the session.
ALTER TABLE refresh_tokens ADD COLUMN user_agent TEXT;
