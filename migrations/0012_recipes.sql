-- A recipe is stored once, under its SHA-256; receipts and lineage name it. A table of counts bounds what one user can
-- make this database hold. Triggers keep both right for every version of the code, also while two versions run.

CREATE TABLE recipes (
    -- SHA-256, hex, of the column recipe.
    sha256       TEXT PRIMARY KEY NOT NULL,
    user_id      TEXT NOT NULL,
    -- The file that is cut. No reference: a saved cut may outlive it.
    file_id      TEXT NOT NULL,
    -- JSON: everything that is needed to make the bytes of the cut again.
    recipe       TEXT NOT NULL,
    recipe_bytes INTEGER NOT NULL CHECK (recipe_bytes > 0),
    -- Whether a saved cut names it. Such a recipe stays as long as the saved cut.
    is_lineage   INTEGER NOT NULL DEFAULT 0 CHECK (is_lineage IN (0, 1)),
    used_at      TEXT NOT NULL
) STRICT;

CREATE INDEX recipes_by_file ON recipes (file_id);
CREATE INDEX recipes_by_use ON recipes (user_id, used_at) WHERE is_lineage = 0;

-- The recipe. NULL: the column recipe has it, because an older version wrote the row.
ALTER TABLE cuts ADD COLUMN recipe_sha256 TEXT;
ALTER TABLE file_relationships ADD COLUMN recipe_sha256 TEXT;
-- The file that was saved from the cut. Its receipt is not forgotten while the file is kept.
ALTER TABLE cuts ADD COLUMN saved_file_id TEXT;

CREATE INDEX cuts_by_recipe ON cuts (recipe_sha256) WHERE recipe_sha256 IS NOT NULL;
CREATE INDEX cuts_by_saved_file ON cuts (saved_file_id) WHERE saved_file_id IS NOT NULL;
CREATE INDEX cuts_by_file ON cuts (file_id, created_at);
CREATE INDEX unsaved_cuts_by_user ON cuts (user_id, created_at, id) WHERE saved_file_id IS NULL;
CREATE INDEX unsaved_cuts_by_age ON cuts (created_at) WHERE saved_file_id IS NULL;
CREATE INDEX file_relationships_by_recipe ON file_relationships (recipe_sha256) WHERE recipe_sha256 IS NOT NULL;

-- What a user has in other tables. Only triggers write it.
CREATE TABLE usage (
    user_id      TEXT PRIMARY KEY NOT NULL,
    -- Receipts of cuts that were not saved.
    receipts     INTEGER NOT NULL DEFAULT 0 CHECK (receipts >= 0),
    recipe_bytes INTEGER NOT NULL DEFAULT 0 CHECK (recipe_bytes >= 0)
) STRICT, WITHOUT ROWID;

INSERT INTO usage (user_id, receipts) SELECT user_id, count(*) FROM cuts GROUP BY user_id;

CREATE TRIGGER recipe_inserted AFTER INSERT ON recipes BEGIN
    INSERT INTO usage (user_id) SELECT NEW.user_id
    WHERE NOT EXISTS (SELECT 1 FROM usage WHERE user_id = NEW.user_id);
    UPDATE usage SET recipe_bytes = recipe_bytes + NEW.recipe_bytes WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER recipe_deleted AFTER DELETE ON recipes BEGIN
    UPDATE usage SET recipe_bytes = max(recipe_bytes - OLD.recipe_bytes, 0) WHERE user_id = OLD.user_id;
END;

-- A user has at most 10,000 receipts of unsaved cuts; the newest stay. Each insert may delete two, so that a surplus
-- from before this migration goes.
CREATE TRIGGER cut_inserted AFTER INSERT ON cuts WHEN NEW.saved_file_id IS NULL BEGIN
    INSERT INTO usage (user_id) SELECT NEW.user_id
    WHERE NOT EXISTS (SELECT 1 FROM usage WHERE user_id = NEW.user_id);
    UPDATE usage SET receipts = receipts + 1 WHERE user_id = NEW.user_id;
    DELETE FROM cuts WHERE id IN (SELECT id FROM cuts WHERE user_id = NEW.user_id AND saved_file_id IS NULL
            ORDER BY created_at, id
            LIMIT (SELECT min(max(receipts - 10000, 0), 2) FROM usage WHERE user_id = NEW.user_id));
END;

CREATE TRIGGER cut_deleted AFTER DELETE ON cuts BEGIN
    UPDATE usage SET receipts = max(receipts - (OLD.saved_file_id IS NULL), 0) WHERE user_id = OLD.user_id;
    DELETE FROM recipes WHERE sha256 = OLD.recipe_sha256
        AND NOT EXISTS (SELECT 1 FROM cuts WHERE recipe_sha256 = OLD.recipe_sha256)
        AND NOT EXISTS (SELECT 1 FROM file_relationships WHERE recipe_sha256 = OLD.recipe_sha256);
END;

CREATE TRIGGER cut_saved AFTER UPDATE OF saved_file_id ON cuts
WHEN (OLD.saved_file_id IS NULL) <> (NEW.saved_file_id IS NULL) BEGIN
    UPDATE usage SET receipts = max(receipts + (NEW.saved_file_id IS NULL) - (OLD.saved_file_id IS NULL), 0)
    WHERE user_id = NEW.user_id;
END;

CREATE TRIGGER cut_lost_recipe AFTER UPDATE OF recipe_sha256 ON cuts
WHEN OLD.recipe_sha256 IS NOT NULL AND NEW.recipe_sha256 IS NULL BEGIN
    DELETE FROM recipes WHERE sha256 = OLD.recipe_sha256
        AND NOT EXISTS (SELECT 1 FROM cuts WHERE recipe_sha256 = OLD.recipe_sha256)
        AND NOT EXISTS (SELECT 1 FROM file_relationships WHERE recipe_sha256 = OLD.recipe_sha256);
END;

CREATE TRIGGER lineage_inserted AFTER INSERT ON file_relationships WHEN NEW.recipe_sha256 IS NOT NULL BEGIN
    UPDATE recipes SET is_lineage = 1 WHERE sha256 = NEW.recipe_sha256;
END;

CREATE TRIGGER lineage_deleted AFTER DELETE ON file_relationships WHEN OLD.recipe_sha256 IS NOT NULL BEGIN
    UPDATE recipes SET is_lineage = EXISTS
        (SELECT 1 FROM file_relationships WHERE recipe_sha256 = OLD.recipe_sha256)
    WHERE sha256 = OLD.recipe_sha256;
    DELETE FROM recipes WHERE sha256 = OLD.recipe_sha256 AND is_lineage = 0
        AND NOT EXISTS (SELECT 1 FROM cuts WHERE recipe_sha256 = OLD.recipe_sha256);
END;
