-- expect: breaking
UPDATE orders SET state = 'n' || id;
CREATE UNIQUE INDEX one_state ON orders (state);
