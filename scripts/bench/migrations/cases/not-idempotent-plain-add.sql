-- expect: compatible
-- history: no
-- idempotent: no
ALTER TABLE users ADD COLUMN phone text;
