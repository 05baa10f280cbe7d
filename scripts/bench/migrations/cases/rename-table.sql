-- expect: breaking
ALTER TABLE orders RENAME TO purchases;
