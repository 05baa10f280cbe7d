-- expect: breaking
DROP VIEW admins;
