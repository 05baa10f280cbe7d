SELECT id, email, name FROM users WHERE id = 7
SELECT u.email, count(*) FROM users AS u JOIN orders AS o ON o.user_id = u.id WHERE u.age > 30 GROUP BY u.email LIMIT 5
SELECT id, state, total, placed_at FROM orders WHERE user_id = 8 ORDER BY placed_at DESC LIMIT 10
SELECT email FROM admins ORDER BY id LIMIT 5
SELECT total_of(9)
SELECT role, count(*) FROM users GROUP BY role
SELECT nick, balance, discount, created_at FROM users WHERE email = 'u9@example.org'
SELECT meta->>'a' FROM orders WHERE id = 11
INSERT INTO users (email, name, nick, age) VALUES ('new@example.org', NULL, 'new', 20)
INSERT INTO orders (user_id, total, meta) VALUES (7, 12.5, '{"b": 2}')
INSERT INTO users (email, name) VALUES ('u7@example.org', 'again') ON CONFLICT (email) DO UPDATE SET name = excluded.name
INSERT INTO orders (user_id, ticket) VALUES (7, 3) ON CONFLICT (ticket) DO NOTHING
UPDATE orders SET state = 'paid', total = 90.25 WHERE id = 12
UPDATE users SET age = NULL, nick = 'a nickname of thirty letters..' WHERE id = 13
UPDATE users SET role = 'admin', balance = balance + 1 WHERE id = 14
DELETE FROM orders WHERE id = 15
