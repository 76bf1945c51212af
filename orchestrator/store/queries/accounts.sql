-- Who may call: clients, their keys and users, sessions, the workers' secrets. Secrets are here as hashes only.

-- name: first_start
-- One replica at a time makes the first credentials; the others then find them. Its transaction stands still meanwhile.
SELECT set_config('idle_in_transaction_session_timeout', '0', true),
    pg_advisory_xact_lock(hashtext('baton.credentials'));

-- name: by_key
SELECT c.client_id, c.name, k.scopes, NULL AS user_id, NULL AS role
FROM api_keys AS k JOIN clients AS c USING (client_id)
WHERE k.key_hash = $1 AND k.revoked_at IS NULL AND c.status = 'active';

-- name: by_session
SELECT c.client_id, c.name, NULL::text[] AS scopes, u.user_id, u.role
FROM user_sessions AS s JOIN users AS u USING (user_id) JOIN clients AS c USING (client_id)
WHERE s.token_hash = $1 AND s.expires_at > now() AND u.status = 'active' AND c.status = 'active';

-- name: worker_secret_since
SELECT created_at FROM worker_secrets WHERE secret_hash = $1;

-- name: add_worker_secret
INSERT INTO worker_secrets (secret_hash) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: add_client
INSERT INTO clients (client_id, name) VALUES ($1, $2)
ON CONFLICT (name) DO NOTHING
RETURNING client_id, name, status, created_at;

-- name: first_client
-- DO UPDATE, not DO NOTHING: that would return no row where the client is there already.
INSERT INTO clients (client_id, name) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET name = excluded.name
RETURNING client_id;

-- name: client_named
SELECT client_id, name, status, created_at FROM clients WHERE name = $1;

-- name: clients
SELECT client_id, name, status, created_at FROM clients ORDER BY client_id;

-- name: set_client_status
UPDATE clients SET status = $2 WHERE client_id = $1 RETURNING true;

-- name: add_key
-- A key that is there already stays as it is, revoked ones too; its row is what comes back.
INSERT INTO api_keys (key_id, key_hash, client_id, name, scopes) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (key_hash) DO UPDATE SET key_hash = excluded.key_hash
RETURNING key_id, name, scopes, created_at, revoked_at;

-- name: keys
SELECT key_id, name, scopes, created_at, revoked_at FROM api_keys WHERE client_id = $1 ORDER BY key_id;

-- name: revoke_key
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now())
WHERE client_id = $1 AND key_id = $2
RETURNING key_hash;

-- name: add_user
INSERT INTO users (user_id, client_id, email, password_hash, role) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (email) DO NOTHING
RETURNING true;

-- name: user_by_email
SELECT u.user_id, u.client_id, c.name, u.role, u.password_hash,
    u.status = 'active' AND c.status = 'active' AS is_active
FROM users AS u JOIN clients AS c USING (client_id)
WHERE u.email = $1;

-- name: first_admin
SELECT email FROM users WHERE role = 'admin' ORDER BY user_id LIMIT 1;

-- name: set_user_status
UPDATE users SET status = $2 WHERE user_id = $1 RETURNING true;

-- name: rehash_password
-- Only over the hash that was verified: a password that was changed meanwhile stays changed.
UPDATE users SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2;

-- name: add_session
INSERT INTO user_sessions (token_hash, user_id, expires_at) VALUES ($1, $2, now() + $3::interval)
RETURNING expires_at;

-- name: remove_session
DELETE FROM user_sessions WHERE token_hash = $1;
