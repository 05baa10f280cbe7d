-- Where each sequence of the database stands, as far as the role may see it. A value that was drawn is not given back when its
-- transaction is rolled back.
SELECT schemaname::text, sequencename::text, last_value FROM pg_catalog.pg_sequences
