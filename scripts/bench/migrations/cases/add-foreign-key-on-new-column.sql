-- expect: compatible
ALTER TABLE orders ADD COLUMN parent bigint REFERENCES orders (id);
