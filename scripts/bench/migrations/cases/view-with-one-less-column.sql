-- expect: breaking
DROP VIEW admins;
CREATE VIEW admins AS SELECT id FROM users WHERE role = 'admin';
