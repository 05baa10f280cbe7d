-- expect: compatible
ALTER TABLE orders ALTER COLUMN state DROP NOT NULL;
