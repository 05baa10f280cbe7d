-- expect: compatible
-- transaction: no
ALTER TYPE role ADD VALUE IF NOT EXISTS 'guest';
