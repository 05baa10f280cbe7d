-- expect: breaking
-- old-stops-if: to_regclass('public.coupons') IS NOT NULL
-- told: the schema is not one that this release knows
CREATE TABLE coupons (id integer PRIMARY KEY);
