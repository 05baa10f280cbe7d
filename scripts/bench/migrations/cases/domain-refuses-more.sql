-- expect: breaking
UPDATE users SET discount = 0;
ALTER DOMAIN percentage ADD CONSTRAINT not_negative CHECK (VALUE IS NOT NULL);
