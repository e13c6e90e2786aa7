//! Shares.
//!
//! A statement for the owner of a share has the owner as a parameter. A statement for the holder of a link has only the
//! share: the service has verified the signature of the link, which names the share.

use super::restriction::is_within_tag;
use super::statement::statements;
use crate::domain::ids::{AttemptId, FileId, ShareId, UserId};
use crate::domain::time::Timestamp;

/// The columns of a [`crate::shares::row::ShareRow`], and the joins that they need.
macro_rules! share {
    () => {
        "SELECT shares.id, shares.user_id, shares.kind, shares.file_id, shares.source_file_id, shares.attempt,
            shares.disposition, shares.name, shares.created_at, shares.expires_at, shares.revoked_at, shares.max_uses,
            shares.uses, shares.password_hash, shares.max_bytes, shares.content_types, shares.tags, shares.may,
            grantee.username AS grantee, files.filename, files.lifecycle_status, files.expires_at AS file_expires_at
        FROM shares LEFT JOIN files ON files.id = shares.file_id AND files.user_id = shares.user_id
            LEFT JOIN users AS grantee ON grantee.id = shares.grantee_id"
    };
}

/// An SQL condition: `:tag` is NULL, the shared file has this tag, or the files that are uploaded through the share get it.
macro_rules! share_is_within_tag {
    () => {
        concat!(
            "(",
            is_within_tag!("shares.file_id"),
            " OR (shares.kind = 'upload' AND EXISTS (SELECT 1 FROM json_each(shares.tags) WHERE value = :tag)))"
        )
    };
}

/// An SQL condition: the share was revoked at `:now`.
macro_rules! is_revoked_now {
    () => {
        "revoked_at = :now"
    };
}

statements! {
    /// Inserts a share. If `:user` already has `:most` shares, the statement sets `shares.created_at` to NULL, and the
    /// NOT NULL constraint makes the statement fail.
    Insert<'a> {
        share: ShareId,
        user: &'a UserId,
        kind: &'a str,
        file: Option<FileId>,
        source: Option<FileId>,
        attempt: Option<AttemptId>,
        disposition: &'a str,
        name: Option<&'a str>,
        now: Timestamp,
        expires_at: Option<Timestamp>,
        forget_at: Option<Timestamp>,
        max_uses: Option<u64>,
        password_hash: Option<&'a str>,
        max_bytes: Option<u64>,
        content_types: Option<&'a str>,
        tags: Option<&'a str>,
        most: u64,
    } = "INSERT INTO shares (id, user_id, kind, file_id, source_file_id, attempt, disposition, name, created_at,
            expires_at, forget_at, max_uses, password_hash, max_bytes, content_types, tags)
        VALUES (:share, :user, :kind, :file, :source, :attempt, :disposition, :name,
            CASE WHEN (SELECT count(*) FROM shares WHERE user_id = :user) < :most THEN :now END,
            :expires_at, :forget_at, :max_uses, :password_hash, :max_bytes, :content_types, :tags)";
    /// Shares a file of `:user` with the account that has the username `:grantee`, unless the account is disabled, is
    /// the owner, or already has a share of the file. In the last case, the statement changes that share. If `:user`
    /// already has `:most` shares, the statement fails like [`Insert`].
    InsertForAccount<'a> {
        share: ShareId,
        user: &'a UserId,
        file: FileId,
        attempt: AttemptId,
        grantee: &'a str,
        may: &'a str,
        name: Option<&'a str>,
        now: Timestamp,
        expires_at: Option<Timestamp>,
        forget_at: Option<Timestamp>,
        most: u64,
    } = "INSERT INTO shares (id, user_id, kind, file_id, attempt, disposition, name, created_at, expires_at, forget_at,
            grantee_id, may)
        SELECT :share, :user, 'account', :file, :attempt, 'attachment', :name,
            CASE WHEN (SELECT count(*) FROM shares WHERE user_id = :user) < :most THEN :now END,
            :expires_at, :forget_at, users.id, :may
        FROM users WHERE username = :grantee AND disabled_at IS NULL AND users.id <> :user
        ON CONFLICT (grantee_id, file_id) WHERE grantee_id IS NOT NULL AND revoked_at IS NULL
        DO UPDATE SET may = :may, name = :name, expires_at = :expires_at, forget_at = :forget_at
        RETURNING id";
    /// Selects a share of `:user`.
    Get<'a> { share: ShareId, user: &'a UserId, tag: Option<&'a str> } =
        concat!(share!(), " WHERE shares.id = :share AND shares.user_id = :user AND ", share_is_within_tag!());
    /// Selects at most `:limit` shares of `:user`, the newest first. If `:file` is not NULL, only shares of this file and
    /// of cuts of this file. The page begins after the share `:before`, if that is not NULL.
    List<'a> {
        user: &'a UserId,
        tag: Option<&'a str>,
        file: Option<FileId>,
        before: Option<ShareId>,
        limit: u64,
    } = concat!(share!(),
        " WHERE shares.user_id = :user AND (:before IS NULL OR shares.id < :before)
            AND (:file IS NULL OR shares.file_id = :file OR shares.source_file_id = :file)
            AND ", share_is_within_tag!(), "
        ORDER BY shares.id DESC LIMIT :limit");
    /// Changes the expiry of a share of `:user` that was not revoked. Returns the id of the share.
    SetExpiry<'a> {
        share: ShareId,
        user: &'a UserId,
        tag: Option<&'a str>,
        expires_at: Option<Timestamp>,
        forget_at: Option<Timestamp>,
    } = concat!("UPDATE shares SET expires_at = :expires_at, forget_at = :forget_at
        WHERE id = :share AND user_id = :user AND revoked_at IS NULL AND ", share_is_within_tag!(), " RETURNING id");
    /// Revokes a share of `:user`. A share that was revoked before is not changed.
    Revoke<'a> {
        share: ShareId,
        user: &'a UserId,
        tag: Option<&'a str>,
        now: Timestamp,
        forget_at: Timestamp,
    } = concat!("UPDATE shares SET revoked_at = :now, forget_at = :forget_at
        WHERE id = :share AND user_id = :user AND revoked_at IS NULL AND ", share_is_within_tag!());
    /// Selects a share whose owner's account exists and is not disabled.
    Open { share: ShareId } = concat!(share!(),
        " JOIN users AS owner ON owner.id = shares.user_id AND owner.disabled_at IS NULL WHERE shares.id = :share");
    /// Counts a use of a share that may still be used, and returns the number of uses.
    CountUse { share: ShareId, now: Timestamp } = "UPDATE shares SET uses = uses + 1
        WHERE id = :share AND revoked_at IS NULL AND expires_at > :now AND (max_uses IS NULL OR uses < max_uses)
        RETURNING uses";
    /// Checks, after [`super::files::InsertPending`], that the share has at most `:spare` more unfinished uploads than
    /// uses that are left. Otherwise the statement sets `shares.disposition` to NULL, and the NOT NULL constraint fails the
    /// batch.
    AdmitUpload { share: ShareId, spare: u64 } = "UPDATE shares SET disposition = CASE WHEN uses +
            (SELECT count(*) FROM files WHERE share_id = :share AND lifecycle_status = 'pending') <= max_uses + :spare
            THEN disposition END
        WHERE id = :share";
    /// Releases the reservations of the unfinished uploads of a share that was revoked at `:now`. Must run before
    /// [`KillUploads`].
    ReleaseUploads { share: ShareId, now: Timestamp } = concat!("UPDATE quotas SET updated_at = :now, reserved_bytes =
            reserved_bytes - (SELECT coalesce(sum(file_size), 0) FROM files
                WHERE share_id = :share AND lifecycle_status = 'pending')
        WHERE user_id = (SELECT user_id FROM shares WHERE id = :share AND ", is_revoked_now!(), ")");
    /// Makes the objects of these uploads due for collection. Must run before [`KillUploads`].
    CollectUploads { share: ShareId, now: Timestamp } = concat!("UPDATE gc_queue SET not_before = :now
        WHERE r2_key IN (SELECT r2_key FROM files WHERE share_id = :share AND lifecycle_status = 'pending')
            AND EXISTS (SELECT 1 FROM shares WHERE id = :share AND ", is_revoked_now!(), ")");
    /// Ends the rows of these uploads. Must run before [`KillUploads`].
    EndUploads { share: ShareId, now: Timestamp } = concat!("UPDATE multipart_uploads
        SET status = 'aborted', completed_at = :now
        WHERE upload_id IN (SELECT attempt FROM files WHERE share_id = :share AND lifecycle_status = 'pending')
            AND status IN ('open', 'completing')
            AND EXISTS (SELECT 1 FROM shares WHERE id = :share AND ", is_revoked_now!(), ")");
    /// Makes the files of these uploads dead, so that they can no longer be committed.
    KillUploads { share: ShareId, now: Timestamp } = concat!("UPDATE files SET lifecycle_status = 'dead'
        WHERE share_id = :share AND lifecycle_status = 'pending'
            AND EXISTS (SELECT 1 FROM shares WHERE id = :share AND ", is_revoked_now!(), ")");
    /// Counts the upload of a file through a share. If the share was revoked or is used up, or does not admit the file,
    /// the statement sets `shares.uses` to NULL, and the NOT NULL constraint fails the batch of the commit.
    CountUpload<'a> { share: ShareId, size_bytes: u64, content_type: &'a str } =
        "UPDATE shares SET uses = CASE WHEN revoked_at IS NULL AND uses < max_uses AND :size_bytes <= max_bytes
            AND EXISTS (SELECT 1 FROM json_each(content_types) WHERE value = :content_type)
            AND EXISTS (SELECT 1 FROM users WHERE users.id = shares.user_id AND disabled_at IS NULL)
            THEN uses + 1 END
        WHERE id = :share";
    /// Gives a file that is uploaded through a share the tags of the share.
    TagUpload { share: ShareId, file: FileId } = "INSERT INTO file_tags (file_id, kind, tag)
        SELECT :file, 'user', json_each.value FROM shares, json_each(shares.tags) WHERE shares.id = :share";
    /// Deletes at most `:limit` shares that ended long ago. Returns their ids.
    Forget { now: Timestamp, limit: u64 } = "DELETE FROM shares WHERE id IN
        (SELECT id FROM shares WHERE forget_at <= :now ORDER BY forget_at LIMIT :limit) RETURNING id";
}
