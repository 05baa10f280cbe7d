-- What catalog_references.sql says, for PostgreSQL 13, which does not say it itself: the columns that refer to one catalog, and whether to several of its
-- rows. Those that the server does not have are left out.
SELECT c.oid, ARRAY[a.attname::text], t.oid, r.several
FROM (VALUES
    ('pg_tablespace', false, 'pg_class.reltablespace pg_database.dattablespace'),
    ('pg_type', false, 'pg_aggregate.aggmtranstype pg_aggregate.aggtranstype pg_amop.amoplefttype pg_amop.amoprighttype pg_amproc.amproclefttype pg_amproc.amprocrighttype
        pg_attribute.atttypid pg_cast.castsource pg_cast.casttarget pg_class.reloftype pg_class.reltype pg_constraint.contypid pg_opclass.opcintype
        pg_opclass.opckeytype pg_operator.oprleft pg_operator.oprresult pg_operator.oprright pg_proc.prorettype pg_proc.provariadic pg_range.rngmultitypid
        pg_range.rngsubtype pg_range.rngtypid pg_sequence.seqtypid pg_transform.trftype pg_type.typarray pg_type.typbasetype pg_type.typelem'),
    ('pg_type', true, 'pg_proc.proallargtypes pg_proc.proargtypes pg_proc.protrftypes'),
    ('pg_proc', false, 'pg_aggregate.aggcombinefn pg_aggregate.aggdeserialfn pg_aggregate.aggfinalfn pg_aggregate.aggfnoid pg_aggregate.aggmfinalfn
        pg_aggregate.aggminvtransfn pg_aggregate.aggmtransfn pg_aggregate.aggserialfn pg_aggregate.aggtransfn pg_am.amhandler pg_amproc.amproc
        pg_cast.castfunc pg_conversion.conproc pg_event_trigger.evtfoid pg_foreign_data_wrapper.fdwhandler pg_foreign_data_wrapper.fdwvalidator
        pg_language.laninline pg_language.lanplcallfoid pg_language.lanvalidator pg_operator.oprcode pg_operator.oprjoin pg_operator.oprrest
        pg_proc.prosupport pg_range.rngcanonical pg_range.rngsubdiff pg_transform.trffromsql pg_transform.trftosql pg_trigger.tgfoid pg_ts_parser.prsend
        pg_ts_parser.prsheadline pg_ts_parser.prslextype pg_ts_parser.prsstart pg_ts_parser.prstoken pg_ts_template.tmplinit pg_ts_template.tmpllexize
        pg_type.typanalyze pg_type.typinput pg_type.typmodin pg_type.typmodout pg_type.typoutput pg_type.typreceive pg_type.typsend pg_type.typsubscript'),
    ('pg_class', false, 'pg_attribute.attrelid pg_class.relrewrite pg_class.reltoastrelid pg_constraint.confrelid pg_constraint.conindid pg_constraint.conrelid
        pg_foreign_table.ftrelid pg_index.indexrelid pg_index.indrelid pg_policy.polrelid pg_publication_rel.prrelid pg_rewrite.ev_class pg_sequence.seqrelid
        pg_statistic_ext.stxrelid pg_trigger.tgconstrindid pg_trigger.tgconstrrelid pg_trigger.tgrelid pg_type.typrelid'),
    ('pg_class', true, 'pg_extension.extconfig'),
    ('pg_authid', false, 'pg_class.relowner pg_collation.collowner pg_conversion.conowner pg_database.datdba pg_default_acl.defaclrole pg_event_trigger.evtowner
        pg_extension.extowner pg_foreign_data_wrapper.fdwowner pg_foreign_server.srvowner pg_language.lanowner pg_namespace.nspowner pg_opclass.opcowner
        pg_operator.oprowner pg_opfamily.opfowner pg_proc.proowner pg_publication.pubowner pg_statistic_ext.stxowner pg_subscription.subowner
        pg_tablespace.spcowner pg_ts_config.cfgowner pg_ts_dict.dictowner pg_type.typowner'),
    ('pg_authid', true, 'pg_policy.polroles'),
    ('pg_database', false, 'pg_subscription.subdbid'),
    ('pg_foreign_server', false, 'pg_foreign_table.ftserver'),
    ('pg_foreign_data_wrapper', false, 'pg_foreign_server.srvfdw'),
    ('pg_am', false, 'pg_amop.amopmethod pg_class.relam pg_opclass.opcmethod pg_opfamily.opfmethod'),
    ('pg_constraint', false, 'pg_constraint.conparentid pg_trigger.tgconstraint'),
    ('pg_language', false, 'pg_proc.prolang pg_transform.trflang'),
    ('pg_namespace', false, 'pg_class.relnamespace pg_collation.collnamespace pg_constraint.connamespace pg_conversion.connamespace pg_default_acl.defaclnamespace
        pg_extension.extnamespace pg_opclass.opcnamespace pg_operator.oprnamespace pg_opfamily.opfnamespace pg_proc.pronamespace
        pg_publication_namespace.pnnspid pg_statistic_ext.stxnamespace pg_ts_config.cfgnamespace pg_ts_dict.dictnamespace pg_ts_parser.prsnamespace
        pg_ts_template.tmplnamespace pg_type.typnamespace'),
    ('pg_opclass', false, 'pg_range.rngsubopc'),
    ('pg_opclass', true, 'pg_index.indclass'),
    ('pg_operator', false, 'pg_aggregate.aggsortop pg_amop.amopopr pg_operator.oprcom pg_operator.oprnegate'),
    ('pg_operator', true, 'pg_constraint.conexclop pg_constraint.conffeqop pg_constraint.conpfeqop pg_constraint.conppeqop'),
    ('pg_trigger', false, 'pg_trigger.tgparentid'),
    ('pg_opfamily', false, 'pg_amop.amopfamily pg_amop.amopsortfamily pg_amproc.amprocfamily pg_opclass.opcfamily'),
    ('pg_collation', false, 'pg_attribute.attcollation pg_range.rngcollation pg_type.typcollation'),
    ('pg_collation', true, 'pg_index.indcollation'),
    ('pg_ts_parser', false, 'pg_ts_config.cfgparser'),
    ('pg_ts_template', false, 'pg_ts_dict.dicttemplate'),
    ('pg_publication', false, 'pg_publication_namespace.pnpubid pg_publication_rel.prpubid')
) AS r (target, several, columns)
CROSS JOIN LATERAL pg_catalog.regexp_split_to_table(r.columns, '\s+') AS x (place)
JOIN pg_catalog.pg_class AS c ON c.relname = pg_catalog.split_part(x.place, '.', 1) AND c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = pg_catalog.split_part(x.place, '.', 2)
JOIN pg_catalog.pg_class AS t ON t.relname = r.target AND t.relnamespace = 'pg_catalog'::pg_catalog.regnamespace
