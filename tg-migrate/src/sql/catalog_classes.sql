-- Follows WITH reference (catalog, attributes, target, several) AS (…), catalog_references.sql or its like for PostgreSQL 13.
-- Writes, for each system catalog of the server, the statement that tells its rows: every column that is not named below, object identifiers
-- as what they stand for. A catalog that is not named here at all, and has identifiers of its own, is told as pg_identify_object() names its
-- rows: so is one that a later version brings. One row a catalog: its name, the statement, else the reason why there is none, and the columns that
-- nobody knows how to tell, which a test wants to be none.
, silent (catalog, reason) AS (VALUES
    ('pg_attrdef', 'told with its column'),
    ('pg_enum', 'told with its type'),
    ('pg_partitioned_table', 'told with its relation'),
    ('pg_inherits', 'told with its relation'),
    ('pg_ts_config_map', 'told with its configuration'),
    ('pg_description', 'told with its object'),
    ('pg_shdescription', 'told with its object'),
    ('pg_seclabel', 'told with its object'),
    ('pg_shseclabel', 'told with its object'),
    ('pg_init_privs', 'what rights are compared with'),
    ('pg_depend', 'follows from what is told; memberships, owners of sequences and DEPENDS ON EXTENSION are told with their objects'),
    ('pg_shdepend', 'follows from what is told'),
    ('pg_db_role_setting', 'one object a setting'),
    ('pg_authid', 'told from pg_roles, which everybody may read'),
    ('pg_auth_members', 'told with its role'),
    ('pg_user_mapping', 'told from pg_user_mappings, which everybody may read'),
    ('pg_largeobject_metadata', 'told by owner and rights'),
    ('pg_largeobject', 'data'),
    ('pg_statistic', 'computed from data'),
    ('pg_statistic_ext_data', 'computed from data'),
    ('pg_subscription_rel', 'how far a subscription is'),
    ('pg_replication_origin', 'how far a subscription is; no dump has it')
), special (catalog, class, object, part, condition, alone) AS (VALUES
    -- The rows that are told; whose address they add to, where it is not their own; and whether they are objects of their own, where
    -- catalog.sql does not know them.
    ('pg_class', 'pg_class', 'oid', '0', 'EXISTS (SELECT FROM relation AS r WHERE r.oid = t.oid)', 'false'),
    ('pg_attribute', 'pg_class', 'attrelid', 't.attnum', 't.attnum > 0 AND NOT t.attisdropped AND EXISTS (SELECT FROM relation AS r WHERE r.oid = t.attrelid
        AND r.relkind NOT IN (''i'', ''I'', ''S''))', 'false'),
    ('pg_index', 'pg_class', 'indexrelid', '0', 't.indexrelid >= 16384', 'false'),
    ('pg_sequence', 'pg_class', 'seqrelid', '0', 'true', 'false'),
    ('pg_foreign_table', 'pg_class', 'ftrelid', '0', 'true', 'false'),
    ('pg_aggregate', 'pg_proc', 'aggfnoid', '0', 't.aggfnoid::pg_catalog.oid >= 16384', 'false'),
    ('pg_range', 'pg_type', 'rngtypid', '0', 't.rngtypid >= 16384', 'false'),
    ('pg_constraint', NULL, NULL, NULL, 't.oid >= 16384 AND (t.conrelid <> 0 OR EXISTS (SELECT FROM space AS s WHERE s.oid = t.connamespace)
        AND NOT EXISTS (SELECT FROM outside AS o WHERE o.classid = ''pg_catalog.pg_type''::pg_catalog.regclass AND o.objid = t.contypid))', 't.contypid <> 0'),
    ('pg_policy', NULL, NULL, NULL, 'true', 'false'),
    ('pg_trigger', NULL, NULL, NULL, 't.oid >= 16384 AND NOT t.tgisinternal', 'false'),
    ('pg_rewrite', NULL, NULL, NULL, 't.oid >= 16384', 'false'),
    ('pg_proc', NULL, NULL, NULL, NULL, 'false'),
    ('pg_statistic_ext', NULL, NULL, NULL, NULL, 'false'),
    ('pg_namespace', NULL, NULL, NULL, 'EXISTS (SELECT FROM space AS s WHERE s.oid = t.oid)', 'false'),
    ('pg_extension', NULL, NULL, NULL, 'true', 'false'),
    -- Those that come with a relation or another type are told by that.
    ('pg_type', NULL, NULL, NULL, 't.oid >= 16384 AND t.typtype <> ''m'' AND EXISTS (SELECT FROM space AS s WHERE s.oid = t.typnamespace)
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = t.typrelid AND c.relkind <> ''c'')
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_type AS e WHERE e.oid = t.typelem AND e.typarray = t.oid)
        AND NOT EXISTS (SELECT FROM outside AS o WHERE o.classid = ''pg_catalog.pg_type''::pg_catalog.regclass AND o.objid = t.oid)', 'true'),
    ('pg_event_trigger', NULL, NULL, NULL, 't.oid >= 16384 AND NOT EXISTS (SELECT FROM outside AS o WHERE o.classid = ''pg_catalog.pg_event_trigger''::pg_catalog.regclass
        AND o.objid = t.oid) AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc AS f JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
        WHERE f.oid = t.evtfoid AND n.nspname = ''tg_trace'')', 'true'),
    ('pg_database', NULL, NULL, NULL, 't.datname = pg_catalog.current_database()', 'true'),
    ('pg_subscription', NULL, NULL, NULL, 't.subdbid = (SELECT b.oid FROM pg_catalog.pg_database AS b WHERE b.datname = pg_catalog.current_database())', 'true'),
    ('pg_default_acl', NULL, NULL, NULL, 'true', 'true'),
    ('pg_tablespace', NULL, NULL, NULL, 't.oid >= 16384', 'true')
), rights (catalog, kind, owner) AS (VALUES
    -- What acldefault() calls the kind, and whose the object is.
    ('pg_attribute', '''c''', '(SELECT c.relowner FROM pg_catalog.pg_class AS c WHERE c.oid = t.attrelid)'),
    ('pg_class', 'CASE t.relkind WHEN ''S'' THEN ''s'' ELSE ''r'' END', 't.relowner'),
    ('pg_database', '''d''', 't.datdba'),
    ('pg_default_acl', NULL, 't.defaclrole'),
    ('pg_foreign_data_wrapper', '''F''', 't.fdwowner'),
    ('pg_foreign_server', '''S''', 't.srvowner'),
    ('pg_language', '''l''', 't.lanowner'),
    ('pg_namespace', '''n''', 't.nspowner'),
    ('pg_parameter_acl', '''p''', '10::pg_catalog.oid'),
    ('pg_proc', '''f''', 't.proowner'),
    ('pg_tablespace', '''t''', 't.spcowner'),
    ('pg_type', '''T''', 't.typowner')
), hidden (catalog, attributes) AS (VALUES
    -- Said by catalog.sql under a better name, in a definition, or by the object's own name.
    ('pg_class', '{relname,relkind,relpersistence,relrowsecurity,relforcerowsecurity,reloptions,relpartbound,relispartition,relowner,relacl}'::text[]),
    ('pg_attribute', '{attrelid,attname,atttypid,atttypmod,attnotnull,atthasdef,attidentity,attcollation,attnum}'),
    ('pg_index', '{indexrelid,indrelid,indnatts,indnkeyatts,indkey,indcollation,indclass,indoption,indexprs,indpred,indisunique,indisvalid,indisready}'),
    ('pg_constraint', '{contype,condeferrable,condeferred,convalidated,conenforced,conrelid,contypid,conindid,conparentid,confrelid,confupdtype,confdeltype,
        confmatchtype,connoinherit,conkey,confkey,conpfeqop,conppeqop,conffeqop,confdelsetcols,conexclop,conbin,conperiod}'),
    ('pg_trigger', '{tgrelid,tgparentid,tgfoid,tgtype,tgenabled,tgisinternal,tgconstrrelid,tgconstrindid,tgconstraint,tgdeferrable,tginitdeferred,tgnargs,
        tgattr,tgargs,tgqual,tgoldtable,tgnewtable}'),
    ('pg_policy', '{polrelid,polcmd,polpermissive,polroles,polqual,polwithcheck}'),
    ('pg_rewrite', '{ev_class,ev_type,is_instead,ev_qual,ev_action}'),
    ('pg_proc', '{prokind,provolatile,prosecdef,pronargs,pronargdefaults,prorettype,proargtypes,proallargtypes,proargmodes,proargnames,proargdefaults,
        prosrc,probin,prosqlbody,proconfig,provariadic}'),
    ('pg_statistic_ext', '{stxrelid,stxkeys,stxkind,stxexprs}'),
    ('pg_sequence', '{seqrelid,seqtypid,seqincrement,seqmax,seqmin,seqcycle}'),
    ('pg_foreign_table', '{ftrelid}'),
    ('pg_aggregate', '{aggfnoid}'),
    ('pg_range', '{rngtypid}'),
    ('pg_type', '{typarray,typrelid,typdefaultbin}'),
    ('pg_extension', '{extversion}'),
    -- What the server keeps for itself, moves without anybody's asking, or follows from the rest.
    ('pg_class', '{reltype,relfilenode,relpages,reltuples,relallvisible,relallfrozen,reltoastrelid,relhasindex,relisshared,relnatts,relchecks,relhasrules,
        relhastriggers,relhassubclass,relrewrite,relfrozenxid,relminmxid}'),
    ('pg_attribute', '{attlen,attbyval,attalign,attcacheoff,atthasmissing,attmissingval,attisdropped}'),
    ('pg_index', '{indcheckxmin,indislive}'),
    ('pg_database', '{datname,datfrozenxid,datminmxid,datlastsysoid,dathasloginevt}'),
    ('pg_subscription', '{subdbid,subskiplsn,subretentionactive}')
), here (catalog, attributes) AS (VALUES
    -- What a restored dump need not have, or has otherwise; '{}' is all. It is compared in one database on one server only.
    ('pg_class', '{reltablespace}'::text[]),
    ('pg_attribute', '{attndims,attislocal,attinhcount}'),
    ('pg_constraint', '{conislocal,coninhcount}'),
    ('pg_extension', '{owner,extrelocatable,extconfig,extcondition}'),
    ('pg_collation', '{collversion}'),
    ('pg_subscription', '{subenabled,subconninfo}'),
    ('pg_database', '{encoding,datlocprovider,datistemplate,datallowconn,dattablespace,datcollate,datctype,datlocale,daticulocale,daticurules,datcollversion}'),
    ('pg_tablespace', '{}'),
    ('pg_parameter_acl', '{}')
), written (catalog, attribute, expression) AS (VALUES
    ('pg_publication_rel', 'prqual', 'pg_catalog.pg_get_expr(t.prqual, t.prrelid)'),
    ('pg_publication_rel', 'prattrs', '(SELECT pg_catalog.jsonb_agg(a.attname ORDER BY a.attname) FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = t.prrelid AND a.attnum = ANY (t.prattrs))'),
    -- Asked for, whether it has come about or not.
    ('pg_subscription', 'subtwophasestate', 'nullif(t.subtwophasestate <> ''d'', false)'),
    -- It may hold a password: a mark of 16 bits.
    ('pg_subscription', 'subconninfo', 'pg_catalog.substr(pg_catalog.md5(t.subconninfo), 1, 4)'),
    -- Where it does not follow from the type.
    ('pg_attribute', 'attstorage', '(SELECT nullif(t.attstorage, y.typstorage) FROM pg_catalog.pg_type AS y WHERE y.oid = t.atttypid)'),
    -- Those that begin with pg_ are the server's own notes, such as the version of a row type.
    ('pg_attribute', 'attoptions', '(SELECT pg_catalog.to_jsonb(pg_catalog.array_agg(o)) FROM pg_catalog.unnest(t.attoptions) AS o WHERE o !~ ''^pg_'')'),
    ('pg_attribute', 'attstattarget', 'nullif(t.attstattarget, -1)'),
    ('pg_statistic_ext', 'stxstattarget', 'nullif(t.stxstattarget, -1)')
), limited (catalog, attributes, condition) AS (VALUES
    -- What follows from the rest otherwise.
    ('pg_type', '{typsend,typreceive,typinput,typoutput,typmodin,typmodout,typanalyze,typsubscript,typelem,typalign,typstorage,typdelim,typcategory,typispreferred,
        typlen,typbyval,typisdefined}'::text[], 't.typtype IN (''b'', ''p'')'),
    ('pg_type', '{typndims,typnotnull,typbasetype,typtypmod}', 'false')
), template (target, text) AS (VALUES
    ('pg_proc', 'nullif({x}::pg_catalog.oid, 0)::pg_catalog.regprocedure::text'),
    ('pg_type', 'pg_catalog.format_type(nullif({x}, 0), NULL)'),
    ('pg_class', 'nullif({x}, 0)::pg_catalog.regclass::text'),
    ('pg_namespace', 'nullif({x}, 0)::pg_catalog.regnamespace::text'),
    ('pg_operator', 'nullif({x}, 0)::pg_catalog.regoperator::text'),
    ('pg_collation', 'nullif({x}, 0)::pg_catalog.regcollation::text'),
    ('pg_ts_config', 'nullif({x}, 0)::pg_catalog.regconfig::text'),
    ('pg_ts_dict', 'nullif({x}, 0)::pg_catalog.regdictionary::text'),
    ('pg_authid', 'CASE {x} WHEN 0 THEN ''public'' ELSE pg_catalog.pg_get_userbyid({x}) END'),
    ('pg_am', '(SELECT y.amname FROM pg_catalog.pg_am AS y WHERE y.oid = {x})'),
    ('pg_language', '(SELECT y.lanname FROM pg_catalog.pg_language AS y WHERE y.oid = {x})'),
    ('pg_tablespace', '(SELECT y.spcname FROM pg_catalog.pg_tablespace AS y WHERE y.oid = {x})')
), held (text) AS (VALUES
    -- The rights in one list that are not in another.
    ('(SELECT pg_catalog.jsonb_agg(x.held ORDER BY x.held COLLATE "C") FROM (
        SELECT {item} FROM pg_catalog.aclexplode({these}) AS a EXCEPT SELECT {item} FROM pg_catalog.aclexplode({others}) AS a) AS x (held))')
), item (text) AS (VALUES
    ('pg_catalog.format(''%s=%s%s'', CASE a.grantee WHEN 0 THEN ''public'' ELSE pg_catalog.pg_get_userbyid(a.grantee) END, a.privilege_type, CASE WHEN a.is_grantable THEN ''*'' END)')
), attribute AS (
    SELECT c.oid, c.relname::text AS catalog, a.attname::text AS name, a.attnum, pg_catalog.format_type(a.atttypid, NULL) AS type, f.target, f.attributes, f.several,
        pg_catalog.min(a.attnum) FILTER (WHERE a.atttypid = 'pg_catalog.name'::pg_catalog.regtype) OVER (PARTITION BY c.oid) AS naming,
        pg_catalog.bool_or(a.attname = 'oid') OVER (PARTITION BY c.oid) AS has_oid
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN LATERAL (
        SELECT p.relname::text AS target, r.attributes, r.several FROM reference AS r JOIN pg_catalog.pg_class AS p ON p.oid = r.target
        WHERE r.catalog = c.oid AND a.attname = r.attributes[pg_catalog.cardinality(r.attributes)] LIMIT 1
    ) AS f ON true
    WHERE c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND c.relkind = 'r'
), told AS (
    SELECT a.*, w.expression AS written, g.kind, g.owner, g.catalog IS NOT NULL AS is_known,
        CASE WHEN a.target = 'pg_authid' AND a.name ~ '(owner|datdba)$' THEN 'owner' ELSE a.name END AS label,
        coalesce((SELECT t.text FROM template AS t WHERE t.target = a.target), pg_catalog.format(
            '(SELECT y.identity FROM pg_catalog.pg_identify_object(''pg_catalog.%s''::pg_catalog.regclass, nullif({x}, 0), 0) AS y)', a.target)) AS resolve
    FROM attribute AS a LEFT JOIN written AS w ON w.catalog = a.catalog AND w.attribute = a.name LEFT JOIN rights AS g ON g.catalog = a.catalog
    WHERE a.name <> 'oid' AND (NOT a.has_oid OR a.attnum IS DISTINCT FROM a.naming) AND a.target IS DISTINCT FROM 'pg_namespace'
      AND NOT EXISTS (SELECT FROM hidden AS h WHERE h.catalog = a.catalog AND a.name = ANY (h.attributes))
      AND pg_catalog.has_column_privilege(a.oid, a.attnum, 'SELECT')
    UNION ALL
    SELECT a.*, NULL, NULL, NULL, NULL, a.name, 'nullif({x}, 0)::pg_catalog.regnamespace::text' FROM attribute AS a
    WHERE a.target = 'pg_namespace' AND a.catalog IN ('pg_publication_namespace', 'pg_default_acl')
), pair AS (
    SELECT a.catalog, a.attnum, a.label, pg_catalog.replace(coalesce((SELECT pg_catalog.format('CASE WHEN %s THEN {x} END', o.condition) FROM limited AS o
            WHERE o.catalog = a.catalog AND a.name = ANY (o.attributes)), '{x}'), '{x}', CASE
        WHEN a.written IS NOT NULL THEN a.written
        WHEN a.target = 'pg_attribute' THEN pg_catalog.format('(SELECT pg_catalog.jsonb_agg(y.attname ORDER BY x.n) FROM pg_catalog.unnest(ARRAY[t.%I]::int2[]) WITH ORDINALITY AS x (o, n)
            LEFT JOIN pg_catalog.pg_attribute AS y ON y.attrelid = t.%I AND y.attnum = x.o)', a.name, a.attributes[1])
        WHEN a.several THEN pg_catalog.format('(SELECT pg_catalog.jsonb_agg(%s ORDER BY x.n) FROM pg_catalog.unnest(t.%I::pg_catalog.oid[]) WITH ORDINALITY AS x (o, n))',
            pg_catalog.replace(a.resolve, '{x}', 'x.o'), a.name)
        WHEN a.target IS NOT NULL THEN pg_catalog.replace(a.resolve, '{x}', pg_catalog.format('t.%I', a.name))
        WHEN a.type = 'boolean' THEN pg_catalog.format('nullif(t.%I, false)', a.name)
        WHEN a.type = '"char"' THEN pg_catalog.format('nullif(t.%I::text, '''')', a.name)
        ELSE pg_catalog.format('t.%I', a.name) END) AS expression,
        EXISTS (SELECT FROM here AS h WHERE h.catalog = a.catalog AND (h.attributes = '{}' OR a.label = ANY (h.attributes))) AS here,
        a.written IS NULL AND a.target IS NULL AND a.type IN ('oid', 'oid[]', 'oidvector', 'smallint[]', 'int2vector', 'xid', 'xid8', 'pg_lsn', 'pg_node_tree', 'bytea',
            'anyarray', 'timestamp with time zone', 'regproc', 'regclass', 'regtype') AS strange
    FROM told AS a WHERE a.type <> 'aclitem[]'
    UNION ALL
    SELECT a.catalog, a.attnum, g.label, pg_catalog.format('CASE WHEN t.%I IS NOT NULL THEN %s END', a.name, pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(
            g.text, '{item}', i.text), '{these}', d.these[g.n]), '{others}', d.these[3 - g.n])),
        EXISTS (SELECT FROM here AS h WHERE h.catalog = a.catalog AND h.attributes = '{}'), NOT a.is_known
    FROM told AS a, item AS i,
        LATERAL (VALUES (ARRAY[pg_catalog.format('t.%I', a.name), CASE WHEN a.kind IS NULL THEN 'NULL::pg_catalog.aclitem[]'
            ELSE pg_catalog.format('pg_catalog.acldefault((%s)::"char", %s)', a.kind, a.owner) END])) AS d (these),
        LATERAL (SELECT v.label, v.n, h.text FROM held AS h, (VALUES ('grants', 1), ('revoked', 2)) AS v (label, n)) AS g
    WHERE a.type = 'aclitem[]'
    UNION ALL
    SELECT a.catalog, a.attnum, 'granted_by', pg_catalog.format('CASE WHEN t.%I IS NOT NULL THEN (SELECT pg_catalog.jsonb_agg(DISTINCT %s || '' by '' || pg_catalog.pg_get_userbyid(a.grantor))
            FROM pg_catalog.aclexplode(t.%I) AS a WHERE a.grantor <> %s) END', a.name, i.text, a.name, a.owner), true, NOT a.is_known
    FROM told AS a, item AS i WHERE a.type = 'aclitem[]'
), changed AS (
    -- What the system and extensions have brought, where its rights are not those that it came with: a dump writes them.
    SELECT a.catalog, pg_catalog.replace(pg_catalog.replace(pg_catalog.format('SELECT 1, i.type, coalesce(i.schema, ''''), NULL, i.identity,
            ''pg_catalog.%s''::pg_catalog.regclass::pg_catalog.oid, t.%s, %s, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(''grants'', x.grants, ''revoked'', x.revoked))::text, NULL
        FROM pg_catalog.%s AS t LEFT JOIN pg_catalog.pg_init_privs AS p ON p.classoid = ''pg_catalog.%s''::pg_catalog.regclass AND p.objoid = t.%s AND p.objsubid = %s,
            LATERAL (SELECT coalesce(t.%s, {default}) AS these, coalesce(p.initprivs, {default}) AS others) AS d,
            LATERAL (SELECT %s, %s) AS x (grants, revoked), LATERAL pg_catalog.pg_identify_object(''pg_catalog.%s''::pg_catalog.regclass, t.%s, %s) AS i
        WHERE t.%s IS DISTINCT FROM p.initprivs AND (x.grants IS NOT NULL OR x.revoked IS NOT NULL) AND t.%s NOT IN (SELECT s.oid FROM space AS s)
          AND ''information_schema'' NOT IN (i.identity, coalesce(i.schema, ''''))
          AND (t.%s < 16384 OR EXISTS (SELECT FROM outside AS o WHERE o.classid = ''pg_catalog.%s''::pg_catalog.regclass AND o.objid = t.%s))',
        x.class, x.object, x.part, a.catalog, x.class, x.object, x.part, a.name,
        pg_catalog.replace(pg_catalog.replace(h.text, '{these}', 'd.these'), '{others}', 'd.others'),
        pg_catalog.replace(pg_catalog.replace(h.text, '{these}', 'd.others'), '{others}', 'd.these'),
        x.class, x.object, x.part, a.name, x.object, x.object, x.class, x.object),
        '{item}', i.text), '{default}', pg_catalog.format('pg_catalog.acldefault((%s)::"char", %s)', g.kind, g.owner)) AS statement
    FROM attribute AS a JOIN rights AS g ON g.catalog = a.catalog, item AS i, held AS h,
        LATERAL (SELECT CASE a.catalog WHEN 'pg_attribute' THEN 'pg_class' ELSE a.catalog END, CASE a.catalog WHEN 'pg_attribute' THEN 'attrelid' ELSE 'oid' END,
            CASE a.catalog WHEN 'pg_attribute' THEN 't.attnum' ELSE '0' END) AS x (class, object, part)
    WHERE a.type = 'aclitem[]' AND a.catalog IN ('pg_attribute', 'pg_class', 'pg_foreign_data_wrapper', 'pg_foreign_server', 'pg_language', 'pg_namespace', 'pg_proc', 'pg_type')
), catalog AS (
    SELECT a.oid, a.catalog, pg_catalog.bool_or(a.has_oid) AS has_oid,
        pg_catalog.max(a.name) FILTER (WHERE a.target = 'pg_namespace' AND a.name LIKE '%namespace') AS space
    FROM attribute AS a GROUP BY a.oid, a.catalog
)
SELECT c.catalog, s.reason, p.strange, CASE WHEN s.reason IS NULL AND (c.has_oid OR x.class IS NOT NULL) THEN pg_catalog.format(
    'SELECT %s, %s, coalesce(i.schema, ''''), NULL::text, %s, ''pg_catalog.%s''::pg_catalog.regclass::pg_catalog.oid, t.%s::pg_catalog.oid, (%s)::int,
        pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(%s))::text, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(%s))::text
    FROM pg_catalog.%I AS t LEFT JOIN LATERAL pg_catalog.pg_identify_object(''pg_catalog.%s''::pg_catalog.regclass, CASE WHEN %s THEN %s END, 0) AS i ON true
    WHERE %s',
    CASE WHEN x.class IS NULL THEN 1 ELSE 2 END, 'i.type', CASE c.catalog WHEN 'pg_database' THEN '''''' ELSE 'i.identity' END,
    coalesce(x.class, c.catalog), coalesce(x.object, 'oid'), coalesce(x.part, '0'), p.everywhere, p.here,
    c.catalog, c.catalog, coalesce(x.alone, 'true'), CASE WHEN c.has_oid THEN 't.oid' ELSE '0' END,
    coalesce(x.condition, pg_catalog.format('t.oid >= 16384 AND NOT EXISTS (SELECT FROM outside AS o WHERE o.classid = ''pg_catalog.%s''::pg_catalog.regclass AND o.objid = t.oid)', c.catalog)
        || CASE WHEN c.space IS NULL THEN '' ELSE pg_catalog.format(' AND EXISTS (SELECT FROM space AS s WHERE s.oid = t.%I)', c.space) END)) END AS statement
FROM catalog AS c
LEFT JOIN silent AS s USING (catalog)
LEFT JOIN special AS x USING (catalog)
LEFT JOIN LATERAL (
    SELECT coalesce(pg_catalog.string_agg(pg_catalog.format('%L, %s', p.label, p.expression), ', ' ORDER BY p.attnum, p.label) FILTER (WHERE NOT p.here), ''),
        coalesce(pg_catalog.string_agg(pg_catalog.format('%L, %s', p.label, p.expression), ', ' ORDER BY p.attnum, p.label) FILTER (WHERE p.here), ''),
        pg_catalog.array_agg(p.label::text) FILTER (WHERE p.strange)
    FROM pair AS p WHERE p.catalog = c.catalog
) AS p (everywhere, here, strange) ON true
UNION ALL
SELECT c.catalog || ' (rights)', NULL, NULL, c.statement FROM changed AS c
ORDER BY 1
