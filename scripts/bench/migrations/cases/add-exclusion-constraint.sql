-- expect: breaking
CREATE EXTENSION IF NOT EXISTS btree_gist;
ALTER TABLE users ADD CONSTRAINT one_age EXCLUDE USING gist (email WITH =, name WITH <>);
