-- What is really too much, by pgstattuple: dead rows and free space beyond the fill factor, as a part of the whole. One JSON line each.
SELECT jsonb_build_object('name', c.relname, 'bytes', t.table_len, 'truth', round(GREATEST(
    (t.dead_tuple_len + t.free_space - t.table_len * (1 - 24 / 8192.0)
        * (1 - COALESCE((SELECT split_part(o, '=', 2)::numeric FROM unnest(c.reloptions) AS o WHERE o LIKE 'fillfactor=%'), 100) / 100))
    / NULLIF(t.table_len, 0), 0)::numeric, 4))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pgstattuple(c.oid::regclass) AS t
WHERE c.relkind = 'r' AND n.nspname = 'public';
SELECT jsonb_build_object('name', c.relname, 'bytes', i.index_size, 'truth', round(((
    i.leaf_pages * (1 - LEAST(COALESCE(NULLIF(i.avg_leaf_density, 'NaN'), 90) / 90, 1)) + i.empty_pages + i.deleted_pages)
    * 8192 / NULLIF(i.index_size, 0))::numeric, 4))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am a ON a.oid = c.relam AND a.amname = 'btree', pgstatindex(c.oid::regclass) AS i
WHERE c.relkind = 'i' AND n.nspname = 'public';
