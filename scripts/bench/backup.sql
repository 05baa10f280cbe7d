-- A database of :gigabytes GB as applications have them: one table with half of all rows, others of different sizes, indexes,
-- JSON, geometry, text that compresses as text does. The same every time.
\set units :gigabytes * 104000
CREATE EXTENSION IF NOT EXISTS postgis;
SELECT setseed(0.5);

CREATE UNLOGGED TABLE features AS
SELECT g AS id, 'feature ' || g AS name,
    jsonb_build_object('kind', (ARRAY['tree', 'well', 'road', 'house'])[1 + g % 4], 'height', round((random() * 100)::numeric, 2),
        'note', repeat(md5((g / 3)::text) || ' ', 1 + g % 4), 'tags', jsonb_build_array(g % 17, g % 101, md5(g::text))) AS properties,
    ST_SetSRID(ST_MakePoint(-180 + random() * 360, -90 + random() * 180), 4326) AS geometry,
    timestamptz '2026-01-01' + g * interval '7 seconds' AS updated_at
FROM generate_series(1, 18 * :units) AS g;

CREATE UNLOGGED TABLE events AS
SELECT g AS id, 1 + g % (18 * :units) AS feature_id, (ARRAY['created', 'changed', 'seen'])[1 + g % 3] AS kind,
    md5(random()::text) || md5(g::text) AS payload, timestamptz '2026-01-01' + g * interval '3 seconds' AS at
FROM generate_series(1, 14 * :units) AS g;

CREATE UNLOGGED TABLE jobs AS
SELECT g AS id, jsonb_build_object('state', 'done', 'result', md5(random()::text), 'log', repeat('step ok; ', 1 + g % 30)) AS body
FROM generate_series(1, 4 * :units) AS g;

ALTER TABLE features ADD PRIMARY KEY (id);
ALTER TABLE events ADD PRIMARY KEY (id);
ALTER TABLE jobs ADD PRIMARY KEY (id);
CREATE INDEX ON events (feature_id);
CREATE INDEX ON features USING gist (geometry);
ALTER TABLE features SET LOGGED;
ALTER TABLE events SET LOGGED;
ALTER TABLE jobs SET LOGGED;
VACUUM ANALYZE;
CHECKPOINT;
