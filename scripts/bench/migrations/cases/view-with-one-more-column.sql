-- expect: compatible
CREATE OR REPLACE VIEW admins AS SELECT id, email, name FROM users WHERE role = 'admin';
