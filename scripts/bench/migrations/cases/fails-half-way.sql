-- expect: breaking
-- told: failed and left changes
-- transaction: no
-- fails: yes
ALTER TABLE users ADD COLUMN phone text;
ALTER TABLE users ADD COLUMN phone text;
