-- The objects of a database that the rules about old code know, as people think of them. Each row: where it comes from (0, so that it is read
-- first), kind, schema, the relation that it belongs to (null where it stands alone), its own name, its address (class, object, column),
-- its attributes, and those that hold in this database on this server only. Names do not depend on object identifiers.
-- What belongs to the system, to an extension or to another session's temporary schema is left out; a schema named tg_trace is ours, in
-- rehearsals. The other rows of the same query, catalog_parts.sql and what catalog_classes.sql writes, add what is not said here.
-- Works on PostgreSQL 13 and later. The session's search_path must be empty.
WITH outside AS MATERIALIZED (
    -- Members of extensions, and the operators and functions that the operator classes among them consist of.
    SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'
    UNION
    SELECT part.classid, part.objid FROM pg_catalog.pg_depend AS part
    JOIN pg_catalog.pg_depend AS m ON m.classid = part.refclassid AND m.objid = part.refobjid AND m.deptype = 'e'
    WHERE part.deptype IN ('a', 'i') AND part.classid IN ('pg_catalog.pg_amop'::pg_catalog.regclass, 'pg_catalog.pg_amproc'::pg_catalog.regclass)
), space AS MATERIALIZED (
    SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'tg_trace')
), relation AS MATERIALIZED (
    SELECT c.*, n.nspname FROM pg_catalog.pg_class AS c JOIN space AS n ON n.oid = c.relnamespace
    WHERE NOT EXISTS (SELECT FROM outside AS o WHERE o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.objid = c.oid)
      AND NOT EXISTS (SELECT FROM outside AS o WHERE c.relkind = 'c' AND o.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND o.objid = c.reltype)
), object (kind, schema, relation, name, class, object, part, attributes, here) AS (
    SELECT 'relation', nspname, NULL::name, relname, 'pg_catalog.pg_class'::pg_catalog.regclass, oid, 0, pg_catalog.jsonb_build_object(
        'is', CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
            WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type' ELSE relkind::text END,
        'persistence', CASE relpersistence WHEN 'p' THEN 'logged' WHEN 'u' THEN 'unlogged' ELSE 'temporary' END,
        'row_security', CASE WHEN relrowsecurity AND relforcerowsecurity THEN 'forced' WHEN relrowsecurity THEN 'on' ELSE 'off' END,
        'partition', pg_catalog.pg_get_expr(relpartbound, oid), 'partitioned_by', pg_catalog.pg_get_partkeydef(oid),
        'definition', CASE WHEN relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(oid) END,
        'options', pg_catalog.to_jsonb(reloptions),
        'toast_options', (SELECT pg_catalog.to_jsonb(t.reloptions) FROM pg_catalog.pg_class AS t WHERE t.oid = relation.reltoastrelid),
        'owner', pg_catalog.pg_get_userbyid(relowner)) || CASE WHEN told.anywhere THEN told.attributes ELSE '{}' END,
        CASE WHEN NOT told.anywhere THEN told.attributes END
    -- The order of columns; a dump does not keep it where they are inherited.
    FROM relation, LATERAL (
        SELECT pg_catalog.jsonb_build_object('order', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a
                WHERE a.attrelid = relation.oid AND a.attnum > 0 AND NOT a.attisdropped)),
            relispartition OR NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = relation.oid)) AS told (attributes, anywhere)
    WHERE relkind NOT IN ('i', 'I', 'S', 't')
  UNION ALL
    SELECT 'column', r.nspname, r.relname, a.attname, 'pg_catalog.pg_class'::pg_catalog.regclass, r.oid, a.attnum, pg_catalog.jsonb_build_object(
        'of', CASE WHEN r.relkind IN ('r', 'p', 'f') THEN 'table' ELSE 'view' END,
        'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
        'default', CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
        'generated', CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
        'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
        'collation', CASE WHEN a.attcollation <> 100 THEN nullif(a.attcollation, 0)::pg_catalog.regcollation::text END,
        -- Constraints of their own since PostgreSQL 18; a dump names those that are not called as they would be called without a name.
        'not_null_as', (SELECT nullif(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
                'name', nullif(k.conname, pg_catalog.format('%s_%s_not_null', r.relname, a.attname)), 'no_inherit', nullif(k.connoinherit, false),
                'valid', nullif(k.convalidated, true), 'comment', pg_catalog.obj_description(k.oid, 'pg_constraint'))), '{}')
            FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = r.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum])),
        NULL
    FROM relation AS r
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE r.relkind NOT IN ('i', 'I', 'S', 't')
  UNION ALL
    -- Those of columns that may not be null stand with the columns, before PostgreSQL 18 and after it.
    SELECT 'constraint', r.nspname, r.relname, k.conname, 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, 0, pg_catalog.jsonb_build_object(
        'is', CASE k.contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign key' WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique'
            WHEN 'x' THEN 'exclusion' ELSE 'trigger' END,
        'definition', pg_catalog.pg_get_constraintdef(k.oid), 'validated', k.convalidated,
        'columns', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY x.n) FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS x (attnum, n)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = x.attnum)), NULL
    FROM relation AS r JOIN pg_catalog.pg_constraint AS k ON k.conrelid = r.oid AND k.contype <> 'n'
  UNION ALL
    SELECT 'index', r.nspname, r.relname, x.relname, 'pg_catalog.pg_class'::pg_catalog.regclass, x.oid, 0, pg_catalog.jsonb_build_object(
        'definition', pg_catalog.pg_get_indexdef(i.indexrelid), 'unique', i.indisunique, 'valid', i.indisvalid AND i.indisready,
        'columns', (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.n)
            FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.n <= i.indnkeyatts),
        'whole', i.indpred IS NULL AND i.indexprs IS NULL,
        'constraint', k.conname), NULL
    FROM relation AS r JOIN pg_catalog.pg_index AS i ON i.indrelid = r.oid JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
    LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
  UNION ALL
    SELECT 'trigger', r.nspname, r.relname, t.tgname, 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, 0, pg_catalog.jsonb_build_object(
        'definition', pg_catalog.pg_get_triggerdef(t.oid), 'enabled', t.tgenabled), NULL
    FROM relation AS r JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = r.oid AND NOT t.tgisinternal
  UNION ALL
    SELECT 'policy', r.nspname, r.relname, p.polname, 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, 0, pg_catalog.jsonb_build_object(
        'command', p.polcmd, 'permissive', p.polpermissive, 'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
        'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid),
        'roles', (SELECT pg_catalog.jsonb_agg(CASE x WHEN 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(x) END ORDER BY 1)
            FROM pg_catalog.unnest(p.polroles) AS x)), NULL
    FROM relation AS r JOIN pg_catalog.pg_policy AS p ON p.polrelid = r.oid
  UNION ALL
    SELECT 'rule', r.nspname, r.relname, w.rulename, 'pg_catalog.pg_rewrite'::pg_catalog.regclass, w.oid, 0,
        pg_catalog.jsonb_build_object('definition', pg_catalog.pg_get_ruledef(w.oid)), NULL
    FROM relation AS r JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
  UNION ALL
    -- What differs from the rights that its kind and its owner give it: those that came, and those that were taken away.
    SELECT 'grant', r.nspname, r.relname,
        pg_catalog.format('%s %s', CASE g.grantee WHEN 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(g.grantee) END, g.privilege_type),
        NULL::pg_catalog.regclass, NULL, NULL, CASE WHEN pg_catalog.bool_or(g.is_granted) THEN pg_catalog.jsonb_build_object('grantable', pg_catalog.bool_or(g.is_grantable AND g.is_granted))
            ELSE '{"revoked": true}' END, NULL
    FROM relation AS r, LATERAL (
        SELECT grantee, privilege_type, is_grantable, true FROM pg_catalog.aclexplode(r.relacl)
        EXCEPT SELECT grantee, privilege_type, is_grantable, true FROM pg_catalog.aclexplode(pg_catalog.acldefault(CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", r.relowner))
        UNION ALL
        SELECT grantee, privilege_type, false, false FROM pg_catalog.aclexplode(pg_catalog.acldefault(CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", r.relowner))
        EXCEPT SELECT grantee, privilege_type, false, false FROM pg_catalog.aclexplode(r.relacl)
    ) AS g (grantee, privilege_type, is_grantable, is_granted)
    WHERE r.relacl IS NOT NULL GROUP BY 1, 2, 3, 4
  UNION ALL
    SELECT 'sequence', r.nspname, NULL, r.relname, 'pg_catalog.pg_class'::pg_catalog.regclass, r.oid, 0, pg_catalog.jsonb_build_object(
        'type', pg_catalog.format_type(s.seqtypid, NULL), 'increment', s.seqincrement, 'minimum', s.seqmin, 'maximum', s.seqmax, 'cycle', s.seqcycle), NULL
    FROM relation AS r JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = r.oid
  UNION ALL
    SELECT 'function', n.nspname, NULL, pg_catalog.format('%s(%s)', f.proname, pg_catalog.pg_get_function_identity_arguments(f.oid)),
        'pg_catalog.pg_proc'::pg_catalog.regclass, f.oid, 0, pg_catalog.jsonb_build_object('is', CASE f.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' WHEN 'w' THEN 'window function' ELSE 'function' END,
            'result', pg_catalog.pg_get_function_result(f.oid), 'arguments', pg_catalog.pg_get_function_arguments(f.oid),
            -- A body that is no text has none of its own: then it is in the definition.
            'body', pg_catalog.md5(pg_catalog.concat_ws(' ', f.prosrc, f.probin,
                CASE WHEN pg_catalog.to_jsonb(f) ->> 'prosqlbody' IS NOT NULL THEN pg_catalog.pg_get_functiondef(f.oid) END)),
            'volatility', f.provolatile, 'security_definer', f.prosecdef, 'settings', pg_catalog.to_jsonb(f.proconfig)), NULL
    FROM pg_catalog.pg_proc AS f JOIN space AS n ON n.oid = f.pronamespace
    WHERE NOT EXISTS (SELECT FROM outside AS o WHERE o.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND o.objid = f.oid)
  UNION ALL
    SELECT CASE t.typtype WHEN 'e' THEN 'enum' ELSE 'domain' END, n.nspname, NULL, t.typname, 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 0, CASE t.typtype
        WHEN 'e' THEN pg_catalog.jsonb_build_object(
            'labels', (SELECT pg_catalog.jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = t.oid))
        ELSE pg_catalog.jsonb_build_object('type', pg_catalog.format_type(t.typbasetype, t.typtypmod), 'not_null', t.typnotnull, 'default', t.typdefault,
            'constraints', (SELECT pg_catalog.jsonb_object_agg(k.conname, pg_catalog.pg_get_constraintdef(k.oid))
                FROM pg_catalog.pg_constraint AS k WHERE k.contypid = t.oid AND k.contype <> 'n')) END, NULL
    FROM pg_catalog.pg_type AS t JOIN space AS n ON n.oid = t.typnamespace
    WHERE t.typtype IN ('e', 'd')
      AND NOT EXISTS (SELECT FROM outside AS o WHERE o.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND o.objid = t.oid)
  UNION ALL
    SELECT 'statistics', n.nspname, NULL, s.stxname, 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid, 0,
        pg_catalog.jsonb_build_object('definition', pg_catalog.pg_get_statisticsobjdef(s.oid)), NULL
    FROM pg_catalog.pg_statistic_ext AS s JOIN space AS n ON n.oid = s.stxnamespace
  UNION ALL
    SELECT 'schema', n.nspname, NULL, n.nspname, 'pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid, 0, '{}', NULL FROM space AS n
    WHERE NOT EXISTS (SELECT FROM outside AS o WHERE o.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND o.objid = n.oid)
  UNION ALL
    -- Its version is the newest that the server has where a dump is restored.
    SELECT 'extension', n.nspname, NULL, e.extname, 'pg_catalog.pg_extension'::pg_catalog.regclass, e.oid, 0, '{}',
        pg_catalog.jsonb_build_object('version', e.extversion)
    FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
)
SELECT 0, kind::text, schema::text, relation::text, name::text, class::pg_catalog.oid, object, part::int, attributes::text, here::text FROM object
