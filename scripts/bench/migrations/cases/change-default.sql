-- expect: compatible
ALTER TABLE orders ALTER COLUMN state SET DEFAULT 'fresh';
