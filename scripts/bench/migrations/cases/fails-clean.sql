-- expect: breaking
-- history: no
-- told: failed and left nothing
-- fails: yes
ALTER TABLE users ADD COLUMN phone text;
SELECT 1 / 0;
