-- expect: compatible
-- transaction: no
-- convergent: no
-- told: public.users.balance
UPDATE users SET balance = balance + 10;
ALTER TABLE users ADD COLUMN IF NOT EXISTS phone text;
