//! The condition that restricts an API key with a tag to the files with this tag.

/// An SQL condition: `:tag` is NULL, or the owner of the file `$file` has given it the tag `:tag`. `$file` is the SQL of
/// the file's id.
macro_rules! is_within_tag {
    ($file:literal) => {
        concat!(
            "(:tag IS NULL OR EXISTS (SELECT 1 FROM file_tags WHERE file_tags.file_id = ",
            $file,
            " AND file_tags.kind = 'user' AND file_tags.tag = :tag))"
        )
    };
}
pub(super) use is_within_tag;
