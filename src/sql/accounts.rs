//! Users and refresh tokens.

statements! {
    /// Whether the database answers.
    PING = "SELECT 1 AS one";
    /// A new user ?1; the role is the schema's default and nothing a request says.
    INSERT_USER = "INSERT INTO users (id, username, email, password_hash, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
    /// A row for user ?1, known from a token only: it has no password and so cannot log in.
    PROVISION_USER = "INSERT INTO users (id, username, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
        ON CONFLICT DO NOTHING";
    /// The user with id ?1.
    FIND_USER = "SELECT id, username, email, role FROM users WHERE id = ?1";
    /// The user whose name, or else email, is ?1.
    FIND_BY_LOGIN = "SELECT id, username, email, role, password_hash FROM users
        WHERE username = ?1 OR email = ?1 ORDER BY username = ?1 DESC LIMIT 1";
    /// Replaces the password hash ?2 of user ?1 by ?3, unless it has changed meanwhile.
    REPLACE_PASSWORD_HASH = "UPDATE users SET password_hash = ?3, updated_at = ?4
        WHERE id = ?1 AND password_hash = ?2";
    /// The first token ?1 of a family, which bears its id.
    INSERT_FIRST_TOKEN = "INSERT INTO refresh_tokens (jti, family, user_id, issued_at, expires_at)
        VALUES (?1, ?1, ?2, ?3, ?4)";
    /// Spends token ?1 of user ?2 for successor ?3 at ?4, if it is still good.
    SPEND_TOKEN = "UPDATE refresh_tokens SET successor_jti = ?3, rotated_at = ?4
        WHERE jti = ?1 AND user_id = ?2 AND successor_jti IS NULL AND revoked_at IS NULL AND expires_at > ?4";
    /// The successor ?3 of token ?1 of user ?2, if ?3 is what it was spent for.
    INSERT_SUCCESSOR = "INSERT INTO refresh_tokens (jti, family, user_id, issued_at, expires_at)
        SELECT ?3, family, user_id, ?4, ?5 FROM refresh_tokens
        WHERE jti = ?1 AND user_id = ?2 AND successor_jti = ?3";
    /// Revokes, at ?3, the family of token ?1 of user ?2 if that token was spent before ?4. Answers what it revoked.
    REVOKE_IF_REUSED = "UPDATE refresh_tokens SET revoked_at = ?3
        WHERE revoked_at IS NULL AND family = (SELECT family FROM refresh_tokens
            WHERE jti = ?1 AND user_id = ?2 AND successor_jti IS NOT NULL AND rotated_at < ?4)
        RETURNING jti";
    /// The successor of token ?1 of user ?2 and the user, unless it is revoked, as a whole family is at once.
    FIND_SUCCESSOR = "SELECT next.jti, next.issued_at, next.expires_at,
            users.id, users.username, users.email, users.role
        FROM refresh_tokens AS spent
        JOIN refresh_tokens AS next ON next.jti = spent.successor_jti
        JOIN users ON users.id = spent.user_id
        WHERE spent.jti = ?1 AND spent.user_id = ?2 AND next.revoked_at IS NULL";
    /// Revokes, at ?3, the family of token ?1 of user ?2.
    REVOKE_FAMILY = "UPDATE refresh_tokens SET revoked_at = ?3
        WHERE revoked_at IS NULL
            AND family = (SELECT family FROM refresh_tokens WHERE jti = ?1 AND user_id = ?2)";
    /// Forgets at most ?2 tokens that expired before ?1: their signature alone refuses them. Answers which.
    DELETE_EXPIRED_TOKENS = "DELETE FROM refresh_tokens WHERE jti IN
        (SELECT jti FROM refresh_tokens WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2) RETURNING jti";
}
