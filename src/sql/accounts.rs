//! Users and refresh tokens.

statements! {
    /// Whether the database answers.
    PING = "SELECT 1 AS one";
}
