-- The lab's data, the same on every machine: ids, positions and times come from row numbers, never from random() or now().
BEGIN;

INSERT INTO features (client_id, name, category, geom, props, created_at)
SELECT
  md5('feature-' || n)::uuid,
  'Feature ' || n,
  (ARRAY['road', 'building', 'water', 'forest', 'field'])[(1 + n % 5)::integer],
  -- Two strides without a common factor spread the points over the map.
  ST_SetSRID(ST_MakePoint((n * 7919 % 36000) / 100.0 - 180, (n * 104729 % 17000) / 100.0 - 85), 4326),
  jsonb_build_object('n', n, 'tag', md5(n::text)),
  timestamptz '2025-01-01 00:00:00+00' + n * interval '1 minute'
FROM generate_series(1, 200000::bigint) AS n;

INSERT INTO jobs (client_id, payload, state, created_at, finished_at)
SELECT
  md5('job-' || n)::uuid,
  jsonb_build_object('n', n),
  'done',
  timestamptz '2025-06-01 00:00:00+00' + n * interval '1 minute',
  timestamptz '2025-06-01 00:00:01+00' + n * interval '1 minute'
FROM generate_series(1, 2000) AS n;

INSERT INTO job_results (job_id, result, created_at)
SELECT id, jsonb_build_object('echo', payload, 'by', '1.4.0'), finished_at FROM jobs;

COMMIT;

VACUUM (ANALYZE);
