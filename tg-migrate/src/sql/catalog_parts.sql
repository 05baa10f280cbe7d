-- What catalog.sql does not say and no row of a class of objects says by itself. Follows it in one query, with its columns: 1 is an object with
-- a name of its own, 2 is added to the object that has this address. What holds on this server only is the last column.
-- A value that may be a secret is told by a mark of 16 bits: enough to see that it changed, too little to find it out.
UNION ALL
-- The catalog's own comments and those on members of extensions are not the application's: one digest tells whether any was changed.
SELECT 2, NULL, NULL, NULL, NULL, d.classoid, d.objoid, d.objsubid, pg_catalog.jsonb_build_object('comment', d.description)::text, NULL
FROM pg_catalog.pg_description AS d
WHERE (d.objoid >= 16384 OR d.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass)
  AND NOT EXISTS (SELECT FROM outside AS o WHERE o.classid = d.classoid AND o.objid = d.objoid)
UNION ALL
SELECT 1, 'comments', '', NULL, 'of the system and of extensions', NULL, NULL, NULL, NULL, pg_catalog.jsonb_build_object('digest',
    pg_catalog.md5(pg_catalog.string_agg(pg_catalog.md5(d.description), '' ORDER BY d.classoid, d.objoid, d.objsubid)))::text
FROM pg_catalog.pg_description AS d
WHERE d.objoid < 16384 AND d.classoid <> 'pg_catalog.pg_namespace'::pg_catalog.regclass
   OR EXISTS (SELECT FROM outside AS o WHERE o.classid = d.classoid AND o.objid = d.objoid)
UNION ALL
-- A dump writes these of the database itself with --create only.
SELECT 2, NULL, NULL, NULL, NULL, d.classoid, d.objoid, 0, NULL, pg_catalog.jsonb_build_object('comment', d.description)::text
FROM pg_catalog.pg_shdescription AS d WHERE d.classoid <> 'pg_catalog.pg_database'::pg_catalog.regclass
  OR d.objoid = (SELECT b.oid FROM pg_catalog.pg_database AS b WHERE b.datname = pg_catalog.current_database())
UNION ALL
SELECT 2, NULL, NULL, NULL, NULL, l.classoid, l.objoid, l.objsubid,
    pg_catalog.jsonb_build_object('security_labels', pg_catalog.jsonb_object_agg(l.provider, l.label))::text, NULL
FROM pg_catalog.pg_seclabel AS l GROUP BY l.classoid, l.objoid, l.objsubid
UNION ALL
-- What members of extensions have been given: labels, policies, indexes, triggers, columns and the like. A dump leaves all of that out.
SELECT 1, 'extension label', '', NULL, i.identity || ' by ' || l.provider, NULL, NULL, NULL, NULL, pg_catalog.jsonb_build_object('label', l.label)::text
FROM pg_catalog.pg_seclabel AS l, LATERAL pg_catalog.pg_identify_object(l.classoid, l.objoid, l.objsubid) AS i
WHERE EXISTS (SELECT FROM outside AS o WHERE o.classid = l.classoid AND o.objid = l.objoid)
UNION ALL
SELECT 1, 'extension policy', '', NULL, i.identity, NULL, NULL, NULL, NULL, pg_catalog.jsonb_build_object('using', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
    'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), 'command', p.polcmd, 'permissive', p.polpermissive)::text
FROM pg_catalog.pg_policy AS p, LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, 0) AS i
WHERE EXISTS (SELECT FROM outside AS o WHERE o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.objid = p.polrelid)
UNION ALL
SELECT 2, NULL, NULL, NULL, NULL, 'pg_catalog.pg_extension'::pg_catalog.regclass, t.extension, 0, NULL, pg_catalog.jsonb_build_object('tables',
    pg_catalog.md5(pg_catalog.string_agg(t.identity, ' ' ORDER BY t.identity COLLATE "C")))::text
FROM (
    SELECT m.refobjid, i.type || ' ' || i.identity FROM pg_catalog.pg_depend AS m
    JOIN pg_catalog.pg_depend AS d ON d.refclassid = m.classid AND d.refobjid = m.objid AND d.deptype IN ('a', 'i'),
        LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) AS i
    WHERE m.deptype = 'e' AND m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    UNION ALL
    SELECT m.refobjid, pg_catalog.format('%s.%I', a.attrelid::pg_catalog.regclass, a.attname) FROM pg_catalog.pg_depend AS m
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = m.objid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE m.deptype = 'e' AND m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
) AS t (extension, identity) GROUP BY t.extension
UNION ALL
SELECT 2, NULL, NULL, NULL, NULL, l.classoid, l.objoid, 0,
    NULL, pg_catalog.jsonb_build_object('security_labels', pg_catalog.jsonb_object_agg(l.provider, l.label))::text
FROM pg_catalog.pg_shseclabel AS l GROUP BY l.classoid, l.objoid
UNION ALL
-- ALTER … DEPENDS ON EXTENSION.
SELECT 2, NULL, NULL, NULL, NULL, d.classid, d.objid, 0,
    pg_catalog.jsonb_build_object('goes_with', pg_catalog.jsonb_agg(e.extname ORDER BY e.extname))::text, NULL
FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
WHERE d.deptype = 'x' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass GROUP BY d.classid, d.objid
UNION ALL
-- What belongs to an extension by now.
SELECT 2, NULL, NULL, NULL, NULL, d.refclassid, d.refobjid, 0, NULL, pg_catalog.jsonb_build_object('members', pg_catalog.count(*), 'digest',
    pg_catalog.md5(pg_catalog.string_agg(i.identity, ' ' ORDER BY i.identity COLLATE "C")))::text
FROM pg_catalog.pg_depend AS d, LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) AS i
WHERE d.deptype = 'e' GROUP BY d.refclassid, d.refobjid
UNION ALL
SELECT 2, NULL, NULL, NULL, NULL, d.classid, d.objid, 0,
    pg_catalog.jsonb_build_object('owned_by', pg_catalog.format('%s.%I', d.refobjid::pg_catalog.regclass, a.attname))::text, NULL
FROM relation AS s
JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = s.oid AND d.deptype IN ('a', 'i')
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE s.relkind = 'S' AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
UNION ALL
SELECT 2, NULL, NULL, NULL, NULL, 'pg_catalog.pg_class'::pg_catalog.regclass, i.inhrelid, 0, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'inherits', pg_catalog.jsonb_agg(i.inhparent::pg_catalog.regclass::text ORDER BY i.inhseqno),
    'detach_pending', nullif(pg_catalog.bool_or(coalesce(pg_catalog.to_jsonb(i) ->> 'inhdetachpending', 'f')::boolean), false)))::text, NULL
FROM pg_catalog.pg_inherits AS i GROUP BY i.inhrelid
UNION ALL
-- How much is sampled of an index's expressions.
SELECT 2, NULL, NULL, NULL, NULL, 'pg_catalog.pg_class'::pg_catalog.regclass, a.attrelid, 0,
    pg_catalog.jsonb_build_object('statistics', pg_catalog.jsonb_object_agg(a.attnum, a.attstattarget))::text, NULL
FROM relation AS x JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.oid
WHERE x.relkind IN ('i', 'I') AND a.attstattarget >= 0 GROUP BY a.attrelid
UNION ALL
-- Triggers by which a constraint holds, where they do not fire.
SELECT 2, NULL, NULL, NULL, NULL, 'pg_catalog.pg_constraint'::pg_catalog.regclass, t.tgconstraint, 0,
    NULL, pg_catalog.jsonb_build_object('triggers', pg_catalog.jsonb_agg(DISTINCT t.tgenabled))::text
FROM pg_catalog.pg_trigger AS t WHERE t.tgisinternal AND t.tgenabled <> 'O' AND t.tgconstraint <> 0 GROUP BY t.tgconstraint
UNION ALL
SELECT 2, NULL, NULL, NULL, NULL, 'pg_catalog.pg_ts_config'::pg_catalog.regclass, m.mapcfg, 0,
    pg_catalog.jsonb_build_object('dictionaries', pg_catalog.jsonb_object_agg(m.maptokentype, m.dictionaries))::text, NULL
FROM (
    SELECT x.mapcfg, x.maptokentype, pg_catalog.jsonb_agg(x.mapdict::pg_catalog.regdictionary::text ORDER BY x.mapseqno) FROM pg_catalog.pg_ts_config_map AS x
    WHERE x.mapcfg >= 16384 GROUP BY x.mapcfg, x.maptokentype
) AS m (mapcfg, maptokentype, dictionaries) GROUP BY m.mapcfg
UNION ALL
-- Settings of the database, and of roles in it. Those with a dot are an application's own, and may be its secrets.
SELECT 1, 'setting', '', NULL, pg_catalog.format('%s%s', p.name, CASE WHEN s.setrole <> 0 THEN ' for ' || pg_catalog.pg_get_userbyid(s.setrole) END),
    NULL, NULL, NULL, p.attributes, NULL
FROM pg_catalog.pg_db_role_setting AS s JOIN pg_catalog.pg_database AS b ON b.oid = s.setdatabase AND b.datname = pg_catalog.current_database(),
    LATERAL pg_catalog.unnest(s.setconfig) AS c (line),
    LATERAL (SELECT pg_catalog.split_part(c.line, '=', 1), pg_catalog.substr(c.line, pg_catalog.strpos(c.line, '=') + 1)) AS v (name, value),
    LATERAL (SELECT v.name, pg_catalog.jsonb_build_object('value', CASE WHEN v.name LIKE '%.%' THEN pg_catalog.substr(pg_catalog.md5(v.value), 1, 4) ELSE v.value END)::text)
        AS p (name, attributes)
UNION ALL
-- Settings of roles in every database; a dump of the database does not write them.
SELECT 1, 'role setting', '', NULL, pg_catalog.format('%s for %s', p.name, pg_catalog.pg_get_userbyid(s.setrole)), NULL, NULL, NULL, NULL, p.attributes
FROM pg_catalog.pg_db_role_setting AS s, LATERAL pg_catalog.unnest(s.setconfig) AS c (line),
    LATERAL (SELECT pg_catalog.split_part(c.line, '=', 1), pg_catalog.substr(c.line, pg_catalog.strpos(c.line, '=') + 1)) AS v (name, value),
    LATERAL (SELECT v.name, pg_catalog.jsonb_build_object('value', CASE WHEN v.name LIKE '%.%' THEN pg_catalog.substr(pg_catalog.md5(v.value), 1, 4) ELSE v.value END)::text)
        AS p (name, attributes)
WHERE s.setdatabase = 0
UNION ALL
-- Roles are the server's, but who they are is part of what every right means. Their passwords are not readable.
SELECT 1, 'role', '', NULL, r.rolname::text, 'pg_catalog.pg_authid'::pg_catalog.regclass, r.oid, 0, NULL, (
    pg_catalog.jsonb_strip_nulls(pg_catalog.to_jsonb(r) - ARRAY['oid', 'rolname', 'rolpassword', 'rolconfig'] || pg_catalog.jsonb_build_object('member_of', (
        SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(m) - ARRAY['oid', 'roleid', 'member', 'grantor'] || pg_catalog.jsonb_build_object('role', pg_catalog.pg_get_userbyid(m.roleid))
            ORDER BY pg_catalog.pg_get_userbyid(m.roleid), m.admin_option)
        FROM pg_catalog.pg_auth_members AS m WHERE m.member = r.oid))))::text
FROM pg_catalog.pg_roles AS r WHERE r.rolname !~ '^pg_'
UNION ALL
-- Large objects are data, and as many as there are files: what is said is whose they are, who may read them, and how many.
SELECT 1, 'large objects', '', NULL, pg_catalog.format('of %s%s', pg_catalog.pg_get_userbyid(l.lomowner), ' with ' || l.lomacl::text), NULL, NULL, NULL,
    NULL, pg_catalog.jsonb_build_object('objects', pg_catalog.count(*), 'comments', pg_catalog.md5(pg_catalog.string_agg(
        (SELECT d.description FROM pg_catalog.pg_description AS d WHERE d.classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass AND d.objoid = l.oid), ' ' ORDER BY l.oid)))::text
FROM pg_catalog.pg_largeobject_metadata AS l GROUP BY l.lomowner, l.lomacl::text
UNION ALL
-- Only who may use a mapping sees its options.
SELECT 1, i.type, '', NULL, i.identity, 'pg_catalog.pg_user_mapping'::pg_catalog.regclass, m.umid, 0, '{}',
    pg_catalog.jsonb_build_object('options', (SELECT pg_catalog.jsonb_agg(pg_catalog.split_part(o, '=', 1) ORDER BY o) FROM pg_catalog.unnest(m.umoptions) AS o),
        'mark', pg_catalog.substr(pg_catalog.md5(m.umoptions::text), 1, 4))::text
FROM pg_catalog.pg_user_mappings AS m, LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_user_mapping'::pg_catalog.regclass, m.umid, 0) AS i
