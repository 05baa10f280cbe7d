-- expect: compatible
-- new-starts-with: /app/migrate
-- told: by merely starting
CREATE TABLE coupons (id integer PRIMARY KEY);
