-- Every index of user tables: what it is for, whether it can be used, and how often it was. Two that agree in "alike" do the same work.
SELECT x.oid,
       i.indrelid AS table_oid,
       n.nspname::pg_catalog.text AS schema,
       c.relname::pg_catalog.text AS "table",
       x.relname::pg_catalog.text AS name,
       m.amname::pg_catalog.text AS method,
       x.relpages::pg_catalog.int8 AS pages,
       x.reltuples::pg_catalog.float8 AS rows,
       x.reloptions AS options,
       i.indisvalid AND i.indisready AND i.indislive AS valid,
       i.indisunique AS "unique",
       -- What a constraint, a replica identity or a clustering stands on is used without being read.
       i.indisprimary OR i.indisreplident OR i.indisclustered OR i.indisexclusion
         OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = x.oid) AS needed,
       COALESCE(pg_catalog.pg_stat_get_numscans(x.oid), 0) AS scans,
       i.indkey::pg_catalog.int2[] AS keys,
       x.relispartition AS part,
       -- A table's only index is like no other.
       CASE WHEN pg_catalog.count(*) OVER (PARTITION BY i.indrelid) > 1 THEN
           pg_catalog.concat_ws('|', i.indrelid, m.amname, i.indkey, i.indclass, i.indcollation, i.indoption, i.indnkeyatts,
               i.indisunique, COALESCE(i.indexprs::pg_catalog.text, ''), COALESCE(i.indpred::pg_catalog.text, '')) END AS alike
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = x.relam
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE x.relkind = 'i'
  AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema'
  AND n.nspname !~ '^pg_'
