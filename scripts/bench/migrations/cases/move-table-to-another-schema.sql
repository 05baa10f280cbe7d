-- expect: breaking
CREATE SCHEMA shop;
ALTER TABLE orders SET SCHEMA shop;
