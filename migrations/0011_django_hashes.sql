-- Finds the most PBKDF2 iterations that a hash from Django asks for: a wrong password is answered after that much work,
-- whatever the account's own hash is.
CREATE INDEX users_by_django_iterations ON users (CAST(substr(password_hash, 15) AS INTEGER))
WHERE substr(password_hash, 1, 14) = 'pbkdf2_sha256$';
