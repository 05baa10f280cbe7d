-- expect: breaking
ALTER TABLE users DROP COLUMN age;
