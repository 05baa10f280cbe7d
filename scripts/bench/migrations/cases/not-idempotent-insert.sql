-- expect: compatible
-- history: no
-- idempotent: no
INSERT INTO archive VALUES (0, 'again');
