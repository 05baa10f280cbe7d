-- What a database's catalog says, one line an object, in an order and with names that do not depend
-- on object identifiers. Objects of the system and of extensions are left out; extensions themselves
-- stand with their version. Works on PostgreSQL 13 and later.
WITH outside AS (
    SELECT objid, classid FROM pg_catalog.pg_depend WHERE deptype = 'e'
), relation AS (
    SELECT c.oid, c.relkind, n.nspname, c.relname, c.relpersistence, c.relrowsecurity,
           pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM outside o WHERE o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.objid = c.oid)
)
SELECT kind, name, definition FROM (
    SELECT 'relation' AS kind, name, pg_catalog.concat_ws(' ', relkind, relpersistence, relrowsecurity) AS definition
    FROM relation WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  UNION ALL
    SELECT 'column', r.name || '.' || pg_catalog.quote_ident(a.attname),
           pg_catalog.concat_ws(' ', pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                                pg_catalog.pg_get_expr(d.adbin, d.adrelid))
    FROM relation r
    JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f')
  UNION ALL
    SELECT 'constraint', r.name || ' ' || pg_catalog.quote_ident(k.conname),
           pg_catalog.pg_get_constraintdef(k.oid) || ' ' || k.convalidated
    FROM relation r JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid
  UNION ALL
    SELECT 'index', x.name, pg_catalog.pg_get_indexdef(i.indexrelid) || ' ' || i.indisvalid
    FROM relation x JOIN pg_catalog.pg_index i ON i.indexrelid = x.oid
  UNION ALL
    SELECT 'view', name, pg_catalog.md5(pg_catalog.pg_get_viewdef(oid)) FROM relation WHERE relkind IN ('v', 'm')
  UNION ALL
    SELECT 'trigger', r.name || ' ' || pg_catalog.quote_ident(t.tgname), pg_catalog.pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
    FROM relation r JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
  UNION ALL
    SELECT 'policy', r.name || ' ' || pg_catalog.quote_ident(p.polname),
           pg_catalog.concat_ws(' ', p.polcmd, p.polpermissive, pg_catalog.pg_get_expr(p.polqual, p.polrelid),
                                pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
    FROM relation r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
  UNION ALL
    SELECT 'function', pg_catalog.format('%I.%I(%s)', n.nspname, f.proname, pg_catalog.pg_get_function_identity_arguments(f.oid)),
           pg_catalog.md5(pg_catalog.concat_ws(' ', f.prosrc, f.probin, f.provolatile, f.prosecdef, pg_catalog.pg_get_function_result(f.oid)))
    FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM outside o WHERE o.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND o.objid = f.oid)
  UNION ALL
    SELECT 'enum', pg_catalog.format('%I.%I', n.nspname, t.typname),
           (SELECT pg_catalog.string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype = 'e' AND NOT EXISTS (SELECT FROM outside o WHERE o.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND o.objid = t.oid)
  UNION ALL
    SELECT 'grant', name, (SELECT pg_catalog.array_to_string(pg_catalog.array_agg(a::text ORDER BY a::text), ' ')
                           FROM pg_catalog.unnest(c.relacl) a)
    FROM relation r JOIN pg_catalog.pg_class c USING (oid) WHERE c.relacl IS NOT NULL
  UNION ALL
    SELECT 'schema', pg_catalog.quote_ident(n.nspname), coalesce(pg_catalog.array_to_string(n.nspacl, ' '), '')
    FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL
    SELECT 'extension', pg_catalog.quote_ident(extname), extversion FROM pg_catalog.pg_extension
) all_objects
ORDER BY kind COLLATE "C", name COLLATE "C", definition COLLATE "C"
