-- What a database's catalog says: one row an object, with names that do not depend on object identifiers: kind, schema, the relation that
-- it belongs to (null where it stands alone), its own name, and its attributes. What belongs to the system, to an extension or to another session's
-- temporary schema is left out; extensions themselves stand with their version. A schema named tg_trace is ours, in rehearsals.
-- Works on PostgreSQL 13 and later.
WITH outside AS (
    SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'
), space AS (
    SELECT n.oid, n.nspname, n.nspacl, n.nspowner FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'tg_trace')
      AND NOT EXISTS (SELECT FROM outside AS o WHERE o.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND o.objid = n.oid)
), relation AS (
    SELECT c.*, n.nspname FROM pg_catalog.pg_class AS c JOIN space AS n ON n.oid = c.relnamespace
    WHERE NOT EXISTS (SELECT FROM outside AS o WHERE o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.objid = c.oid)
), object (kind, schema, relation, name, attributes) AS (
    SELECT 'relation', nspname, NULL::name, relname, pg_catalog.jsonb_build_object(
        'is', CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
            WHEN 'f' THEN 'foreign table' ELSE 'type' END,
        'persistence', CASE relpersistence WHEN 'p' THEN 'logged' WHEN 'u' THEN 'unlogged' ELSE 'temporary' END,
        'row_security', CASE WHEN relrowsecurity AND relforcerowsecurity THEN 'forced' WHEN relrowsecurity THEN 'on' ELSE 'off' END,
        'partition', pg_catalog.pg_get_expr(relpartbound, oid), 'partitioned_by', pg_catalog.pg_get_partkeydef(oid),
        'definition', CASE WHEN relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(oid) END,
        'options', pg_catalog.to_jsonb(reloptions), 'owner', pg_catalog.pg_get_userbyid(relowner))
    FROM relation WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
  UNION ALL
    SELECT 'column', r.nspname, r.relname, a.attname, pg_catalog.jsonb_build_object(
        'of', CASE WHEN r.relkind IN ('r', 'p', 'f') THEN 'table' ELSE 'view' END,
        'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
        'default', CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
        'generated', CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
        'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
        'collation', (SELECT c.collname FROM pg_catalog.pg_collation AS c WHERE c.oid = a.attcollation AND c.collname <> 'default'),
        'grants', (SELECT pg_catalog.jsonb_agg(x::text ORDER BY x::text) FROM pg_catalog.unnest(a.attacl) AS x))
    FROM relation AS r
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
  UNION ALL
    -- Those of columns that may not be null stand with the columns, before PostgreSQL 18 and after it.
    SELECT 'constraint', r.nspname, r.relname, k.conname, pg_catalog.jsonb_build_object(
        'is', CASE k.contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign key' WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique'
            WHEN 'x' THEN 'exclusion' ELSE 'trigger' END,
        'definition', pg_catalog.pg_get_constraintdef(k.oid), 'validated', k.convalidated,
        'columns', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY x.n) FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS x (attnum, n)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = x.attnum))
    FROM relation AS r JOIN pg_catalog.pg_constraint AS k ON k.conrelid = r.oid AND k.contype <> 'n'
  UNION ALL
    SELECT 'index', r.nspname, r.relname, x.relname, pg_catalog.jsonb_build_object(
        'definition', pg_catalog.pg_get_indexdef(i.indexrelid), 'unique', i.indisunique, 'valid', i.indisvalid AND i.indisready,
        'columns', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.n)
            FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.n <= i.indnkeyatts),
        'whole', i.indpred IS NULL AND i.indexprs IS NULL,
        'constraint', (SELECT k.conname FROM pg_catalog.pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x') LIMIT 1))
    FROM relation AS r JOIN pg_catalog.pg_index AS i ON i.indrelid = r.oid JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
  UNION ALL
    SELECT 'trigger', r.nspname, r.relname, t.tgname, pg_catalog.jsonb_build_object(
        'definition', pg_catalog.pg_get_triggerdef(t.oid), 'enabled', t.tgenabled)
    FROM relation AS r JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = r.oid AND NOT t.tgisinternal
  UNION ALL
    SELECT 'policy', r.nspname, r.relname, p.polname, pg_catalog.jsonb_build_object(
        'command', p.polcmd, 'permissive', p.polpermissive, 'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
        'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid),
        'roles', (SELECT pg_catalog.jsonb_agg(CASE x WHEN 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(x) END ORDER BY 1)
            FROM pg_catalog.unnest(p.polroles) AS x))
    FROM relation AS r JOIN pg_catalog.pg_policy AS p ON p.polrelid = r.oid
  UNION ALL
    SELECT 'rule', r.nspname, r.relname, w.rulename, pg_catalog.jsonb_build_object('definition', pg_catalog.pg_get_ruledef(w.oid))
    FROM relation AS r JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
  UNION ALL
    SELECT 'grant', r.nspname, r.relname,
        pg_catalog.format('%s %s', CASE g.grantee WHEN 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(g.grantee) END, g.privilege_type),
        pg_catalog.jsonb_build_object('grantable', pg_catalog.bool_or(g.is_grantable))
    FROM relation AS r, pg_catalog.aclexplode(r.relacl) AS g GROUP BY 1, 2, 3, 4
  UNION ALL
    SELECT 'sequence', r.nspname, NULL, r.relname, pg_catalog.jsonb_build_object(
        'type', pg_catalog.format_type(s.seqtypid, NULL), 'increment', s.seqincrement, 'minimum', s.seqmin, 'maximum', s.seqmax, 'cycle', s.seqcycle)
    FROM relation AS r JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = r.oid
  UNION ALL
    SELECT 'function', n.nspname, NULL, pg_catalog.format('%s(%s)', f.proname, pg_catalog.pg_get_function_identity_arguments(f.oid)),
        pg_catalog.jsonb_build_object('is', CASE f.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' WHEN 'w' THEN 'window function' ELSE 'function' END,
            'result', pg_catalog.pg_get_function_result(f.oid), 'arguments', pg_catalog.pg_get_function_arguments(f.oid),
            'body', pg_catalog.md5(pg_catalog.concat_ws(' ', f.prosrc, f.probin, to_jsonb(f) ->> 'prosqlbody')),
            'volatility', f.provolatile, 'security_definer', f.prosecdef, 'settings', pg_catalog.to_jsonb(f.proconfig))
    FROM pg_catalog.pg_proc AS f JOIN space AS n ON n.oid = f.pronamespace
    WHERE NOT EXISTS (SELECT FROM outside AS o WHERE o.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND o.objid = f.oid)
  UNION ALL
    SELECT CASE t.typtype WHEN 'e' THEN 'enum' ELSE 'domain' END, n.nspname, NULL, t.typname, CASE t.typtype
        WHEN 'e' THEN pg_catalog.jsonb_build_object(
            'labels', (SELECT pg_catalog.jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = t.oid))
        ELSE pg_catalog.jsonb_build_object('type', pg_catalog.format_type(t.typbasetype, t.typtypmod), 'not_null', t.typnotnull, 'default', t.typdefault,
            'constraints', (SELECT pg_catalog.jsonb_object_agg(k.conname, pg_catalog.pg_get_constraintdef(k.oid))
                FROM pg_catalog.pg_constraint AS k WHERE k.contypid = t.oid AND k.contype <> 'n')) END
    FROM pg_catalog.pg_type AS t JOIN space AS n ON n.oid = t.typnamespace
    WHERE t.typtype IN ('e', 'd')
      AND NOT EXISTS (SELECT FROM outside AS o WHERE o.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND o.objid = t.oid)
  UNION ALL
    SELECT 'statistics', n.nspname, NULL, s.stxname, pg_catalog.jsonb_build_object('definition', pg_catalog.pg_get_statisticsobjdef(s.oid))
    FROM pg_catalog.pg_statistic_ext AS s JOIN space AS n ON n.oid = s.stxnamespace
  UNION ALL
    SELECT 'schema', nspname, NULL, nspname, pg_catalog.jsonb_build_object('owner', pg_catalog.pg_get_userbyid(nspowner),
        'grants', (SELECT pg_catalog.jsonb_agg(x::text ORDER BY x::text) FROM pg_catalog.unnest(nspacl) AS x)) FROM space
  UNION ALL
    SELECT 'extension', n.nspname, NULL, e.extname, pg_catalog.jsonb_build_object('version', e.extversion)
    FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
)
SELECT kind, schema::text, relation::text, name::text, attributes::text FROM object
