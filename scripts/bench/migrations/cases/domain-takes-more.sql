-- expect: compatible
ALTER DOMAIN percentage DROP CONSTRAINT percentage_check;
