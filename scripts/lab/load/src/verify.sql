WITH stored AS (
  SELECT 'feature' AS kind, client_id AS id FROM public.features
  UNION ALL
  SELECT 'job', client_id FROM public.jobs
), found AS (
  SELECT a.kind, a.id, pg_catalog.count(s.id) AS copies
  FROM (SELECT DISTINCT kind, id FROM acked) AS a
  LEFT JOIN stored AS s ON s.kind = a.kind AND s.id = a.id
  GROUP BY a.kind, a.id
)
SELECT pg_catalog.count(*),
  pg_catalog.count(*) FILTER (WHERE copies = 0),
  pg_catalog.count(*) FILTER (WHERE copies > 1)
FROM found;
