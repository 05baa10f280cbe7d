-- expect: compatible
-- history: no
-- idempotent: no
UPDATE users SET balance = balance + 10;
