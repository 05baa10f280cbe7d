-- expect: breaking
ALTER TYPE role RENAME VALUE 'admin' TO 'owner';
