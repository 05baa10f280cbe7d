-- Twenty tables and their indexes, each bloated in a way of its own, or not at all.
SET client_min_messages = warning;
-- What is tight.
CREATE TABLE tight_integers AS SELECT g AS id, g % 1000 AS n FROM generate_series(1, 200000) AS g;
CREATE INDEX ON tight_integers (id);
CREATE INDEX ON tight_integers (n);
CREATE TABLE tight_text AS SELECT g AS id, md5(g::text) AS word, repeat('x', g % 90) AS pad FROM generate_series(1, 100000) AS g;
CREATE INDEX ON tight_text (word);
CREATE INDEX ON tight_text (lower(word));
CREATE TABLE tight_padded AS SELECT g % 2 = 0 AS a, g::bigint AS b, g % 3 = 0 AS c, g::float8 AS d, g::smallint % 7 AS e
FROM generate_series(1, 30000) AS g, generate_series(1, 5);
CREATE TABLE tight_nulls AS SELECT g AS id, CASE WHEN g % 4 = 0 THEN md5(g::text) END AS often, CASE WHEN g % 50 = 0 THEN g END AS rarely
FROM generate_series(1, 150000) AS g;
CREATE INDEX ON tight_nulls (rarely);
CREATE TABLE tight_filled (id int PRIMARY KEY, n int, pad text) WITH (fillfactor = 70);
INSERT INTO tight_filled SELECT g, g, repeat('x', 60) FROM generate_series(1, 100000) AS g;
CREATE TABLE tight_json AS SELECT g AS id, jsonb_build_object('a', g, 'b', md5(g::text), 'c', g % 10) AS doc FROM generate_series(1, 80000) AS g;
CREATE TABLE tight_toast AS SELECT g AS id, (SELECT string_agg(md5((g * 100 + i)::text), '') FROM generate_series(1, 100) AS i) AS long FROM generate_series(1, 3000) AS g;
CREATE TABLE tight_numeric AS SELECT g AS id, (g * 1.37)::numeric(12, 2) AS price, now() + g * interval '1 min' AS at, gen_random_uuid() AS key
FROM generate_series(1, 120000) AS g;
CREATE INDEX ON tight_numeric (key);
CREATE INDEX ON tight_numeric (at, price);
CREATE TABLE tight_wide AS SELECT g AS id, g AS a, g AS b, g AS c, g AS d, g AS e, g AS f, g AS h, repeat('w', 300) AS pad FROM generate_series(1, 50000) AS g;
-- A queue whose rows come and go at its ends, and whose key grows.
CREATE TABLE queue (id bigint PRIMARY KEY, state text, body text) WITH (autovacuum_enabled = off);
INSERT INTO queue SELECT g, 'new', repeat('q', 100) FROM generate_series(1, 200000) AS g;
DELETE FROM queue WHERE id <= 180000;
-- Thinned: one in N is left, all over the table.
CREATE TABLE thinned_2 AS SELECT g AS id, repeat('x', 80) AS pad FROM generate_series(1, 150000) AS g;
CREATE INDEX ON thinned_2 (id);
DELETE FROM thinned_2 WHERE id % 2 = 0;
CREATE TABLE thinned_5 AS SELECT g AS id, repeat('x', 80) AS pad FROM generate_series(1, 150000) AS g;
CREATE INDEX ON thinned_5 (id);
DELETE FROM thinned_5 WHERE id % 5 <> 0;
CREATE TABLE thinned_20 AS SELECT g AS id, md5(g::text) AS word FROM generate_series(1, 200000) AS g;
CREATE INDEX ON thinned_20 (word);
DELETE FROM thinned_20 WHERE id % 20 <> 0;
CREATE TABLE thinned_nulls AS SELECT g AS id, CASE WHEN g % 3 = 0 THEN md5(g::text) END AS word, g % 9 AS n FROM generate_series(1, 200000) AS g;
CREATE INDEX ON thinned_nulls (n);
DELETE FROM thinned_nulls WHERE id % 3 <> 0;
CREATE TABLE thinned_json AS SELECT g AS id, jsonb_build_object('a', g, 'b', md5(g::text)) AS doc FROM generate_series(1, 100000) AS g;
DELETE FROM thinned_json WHERE id % 4 <> 0;
-- Written again and again in one go: each time a whole new copy.
CREATE TABLE rewritten (id int PRIMARY KEY, n int, pad text) WITH (autovacuum_enabled = off);
INSERT INTO rewritten SELECT g, 0, repeat('x', 60) FROM generate_series(1, 80000) AS g;
CREATE INDEX rewritten_n ON rewritten (n);
UPDATE rewritten SET n = n + 1;
UPDATE rewritten SET n = n + 1;
UPDATE rewritten SET n = n + 1;
CREATE TABLE rewritten_once (id int PRIMARY KEY, n int, pad text) WITH (autovacuum_enabled = off);
INSERT INTO rewritten_once SELECT g, 0, repeat('x', 60) FROM generate_series(1, 120000) AS g;
UPDATE rewritten_once SET n = g.n FROM (SELECT id, id AS n FROM rewritten_once) AS g WHERE rewritten_once.id = g.id;
-- The index alone: keys in random order, and half of them gone.
CREATE TABLE shuffled (id int, key uuid);
CREATE INDEX ON shuffled (key);
INSERT INTO shuffled SELECT g, gen_random_uuid() FROM generate_series(1, 200000) AS g;
CREATE TABLE holes (id int PRIMARY KEY, pad text);
INSERT INTO holes SELECT g, repeat('h', 200) FROM generate_series(1, 100000) AS g;
DELETE FROM holes WHERE id % 1000 > 250;
CREATE TABLE emptied (id int PRIMARY KEY, pad text) WITH (autovacuum_enabled = off);
INSERT INTO emptied SELECT g, repeat('e', 100) FROM generate_series(1, 150000) AS g;
DELETE FROM emptied WHERE id <> 150000;
