-- expect: compatible
-- history: no
ALTER TABLE users ADD COLUMN IF NOT EXISTS phone text;
