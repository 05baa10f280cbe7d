//! One object of each kind that a database holds: made, altered and dropped again.
//! `{db}` is the database, `{role}` a role of its own, `{other}` another one.

/// What is done, and what a difference must say of it.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// The system catalogs that it is written to, of which this is the proof.
    pub(crate) catalogs: &'static [&'static str],
    pub(crate) create: &'static str,
    pub(crate) alter: &'static str,
    pub(crate) drop: &'static str,
    /// The object's kind and name, as a record tells them.
    pub(crate) object: &'static str,
    pub(crate) name: &'static str,
    /// What `alter` changes.
    pub(crate) attribute: &'static str,
    /// The first major version that has it.
    pub(crate) since: i32,
}

const fn kind(
    catalogs: &'static [&'static str],
    [create, alter, drop]: [&'static str; 3],
    [object, name, attribute]: [&'static str; 3],
) -> Kind {
    Kind { catalogs, create, alter, drop, object, name, attribute, since: 13 }
}

const fn since(since: i32, kind: Kind) -> Kind {
    Kind { since, ..kind }
}

/// What the others stand on; not altered.
pub(crate) const BASE: &str = "
    CREATE TABLE base (id int PRIMARY KEY, n int DEFAULT 5, t text, u text);
    CREATE TABLE child (id int CONSTRAINT child_of REFERENCES base);
    CREATE TABLE parted (id int, d date) PARTITION BY RANGE (d);
    CREATE TABLE grand (id int NOT NULL, gone int, d date NOT NULL DEFAULT '2026-01-01', CHECK (id > 0)) PARTITION BY RANGE (d);
    ALTER TABLE grand DROP COLUMN gone;
    CREATE TABLE grand_1 PARTITION OF grand (id DEFAULT 7) FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE TABLE heir (own text NOT NULL, CHECK (own <> '')) INHERITS (base);
    ALTER TABLE base ADD COLUMN late int DEFAULT 1;
    ALTER TABLE base ADD CHECK (late > 0);
    CREATE DOMAIN must AS int CONSTRAINT needed NOT NULL;
    CREATE TABLE words_of (a text COLLATE \"C\", i interval DEFAULT '1 day 02:00', s timestamptz DEFAULT '2026-01-01 00:00+00');
    CREATE TYPE little AS (a int);
    CREATE TABLE typed OF little (a WITH OPTIONS NOT NULL);
    CREATE VIEW seen WITH (security_barrier) AS SELECT id, n FROM base WHERE n > 0 WITH CHECK OPTION;
    GRANT SELECT ON base TO {role} WITH GRANT OPTION;
    GRANT INSERT ON base TO PUBLIC;
    REVOKE UPDATE ON parted FROM CURRENT_USER;
    SET ROLE {role}; GRANT SELECT ON base TO PUBLIC; RESET ROLE;
    CREATE MATERIALIZED VIEW empty AS SELECT 1 AS one WITH NO DATA;
    CREATE TYPE mood AS ENUM ('good');
    CREATE FUNCTION noticing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
    CREATE FUNCTION keeping() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE FUNCTION as_int(little) RETURNS int LANGUAGE sql AS 'SELECT $1.a';
    CREATE FUNCTION same(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
    CREATE FUNCTION handling() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
    CREATE SCHEMA place;
    CREATE FOREIGN DATA WRAPPER far;
    CREATE SERVER there FOREIGN DATA WRAPPER far;
    CREATE PUBLICATION everything;
    CREATE TEXT SEARCH CONFIGURATION words (PARSER = default);
    CREATE OPERATOR FAMILY fam USING btree;
    CREATE INDEX lowered ON base (lower(t));
    CREATE SEQUENCE counter;
    CREATE TABLE of_extension (a int);
    ALTER EXTENSION plpgsql ADD TABLE of_extension;
";

pub(crate) const KINDS: &[Kind] = &[
    kind(
        &["pg_namespace"],
        ["CREATE SCHEMA k_schema", "ALTER SCHEMA k_schema OWNER TO {role}", "DROP SCHEMA k_schema"],
        ["schema", "k_schema", "owner"],
    ),
    kind(
        &["pg_class"],
        ["CREATE TABLE k_table (a int)", "ALTER TABLE k_table REPLICA IDENTITY FULL", "DROP TABLE k_table"],
        ["relation", "k_table", "relreplident"],
    ),
    kind(
        &["pg_attribute"],
        [
            "ALTER TABLE base ADD COLUMN k_column text",
            "ALTER TABLE base ALTER COLUMN k_column SET STORAGE EXTERNAL",
            "ALTER TABLE base DROP COLUMN k_column",
        ],
        ["column", "k_column", "attstorage"],
    ),
    kind(
        &["pg_attrdef"],
        [
            "ALTER TABLE base ADD COLUMN k_default int DEFAULT 1",
            "ALTER TABLE base ALTER COLUMN k_default SET DEFAULT 2",
            "ALTER TABLE base DROP COLUMN k_default",
        ],
        ["column", "k_default", "default"],
    ),
    kind(
        &["pg_constraint"],
        [
            "ALTER TABLE base ADD CONSTRAINT k_check CHECK (n > 0) NOT VALID",
            "ALTER TABLE base VALIDATE CONSTRAINT k_check",
            "ALTER TABLE base DROP CONSTRAINT k_check",
        ],
        ["constraint", "k_check", "validated"],
    ),
    kind(
        &["pg_constraint"],
        [
            "CREATE DOMAIN k_domain AS int CONSTRAINT k_positive CHECK (VALUE > 0)",
            "COMMENT ON CONSTRAINT k_positive ON DOMAIN k_domain IS 'above nothing'",
            "DROP DOMAIN k_domain",
        ],
        ["domain constraint", "k_positive on public.k_domain", "comment"],
    ),
    kind(
        &["pg_index"],
        ["CREATE UNIQUE INDEX k_index ON base (n)", "ALTER TABLE base CLUSTER ON k_index", "DROP INDEX k_index"],
        ["index", "k_index", "indisclustered"],
    ),
    kind(
        &["pg_trigger"],
        [
            "CREATE TRIGGER k_trigger BEFORE INSERT ON base FOR EACH ROW EXECUTE FUNCTION keeping()",
            "ALTER TABLE base DISABLE TRIGGER k_trigger",
            "DROP TRIGGER k_trigger ON base",
        ],
        ["trigger", "k_trigger", "enabled"],
    ),
    kind(
        &["pg_policy"],
        [
            "CREATE POLICY k_policy ON base USING (id > 0)",
            "ALTER POLICY k_policy ON base USING (id > 1)",
            "DROP POLICY k_policy ON base",
        ],
        ["policy", "k_policy", "using"],
    ),
    kind(
        &["pg_policy"],
        [
            "CREATE POLICY k_policy ON of_extension USING (a > 0)",
            "ALTER POLICY k_policy ON of_extension USING (a > 1)",
            "DROP POLICY k_policy ON of_extension",
        ],
        ["extension policy", "k_policy on public.of_extension", "using"],
    ),
    kind(
        &["pg_rewrite"],
        [
            "CREATE RULE k_rule AS ON DELETE TO parted DO INSTEAD NOTHING",
            "ALTER TABLE parted DISABLE RULE k_rule",
            "DROP RULE k_rule ON parted",
        ],
        ["rule", "k_rule", "ev_enabled"],
    ),
    kind(
        &["pg_statistic_ext"],
        [
            "CREATE STATISTICS k_statistics ON id, n FROM base",
            "ALTER STATISTICS k_statistics SET STATISTICS 7",
            "DROP STATISTICS k_statistics",
        ],
        ["statistics", "k_statistics", "stxstattarget"],
    ),
    kind(
        &["pg_sequence"],
        ["CREATE SEQUENCE k_sequence", "ALTER SEQUENCE k_sequence START 7 CACHE 9", "DROP SEQUENCE k_sequence"],
        ["sequence", "k_sequence", "seqcache"],
    ),
    kind(
        &["pg_depend"],
        [
            "CREATE SEQUENCE k_owned",
            "ALTER SEQUENCE k_owned OWNED BY base.id",
            "DROP SEQUENCE k_owned",
        ],
        ["sequence", "k_owned", "owned_by"],
    ),
    kind(
        &["pg_partitioned_table"],
        [
            "CREATE TABLE k_parted (id int) PARTITION BY HASH (id)",
            "ALTER TABLE k_parted OWNER TO {role}",
            "DROP TABLE k_parted",
        ],
        ["relation", "k_parted", "owner"],
    ),
    kind(
        &["pg_inherits"],
        [
            "CREATE TABLE k_part (id int, d date)",
            "ALTER TABLE parted ATTACH PARTITION k_part DEFAULT",
            "DROP TABLE k_part",
        ],
        ["relation", "k_part", "inherits"],
    ),
    kind(
        &["pg_proc"],
        [
            "CREATE FUNCTION k_function(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "ALTER FUNCTION k_function PARALLEL SAFE",
            "DROP FUNCTION k_function",
        ],
        ["function", "k_function(a integer)", "proparallel"],
    ),
    since(
        14,
        kind(
            &["pg_proc"],
            [
                "CREATE FUNCTION k_atomic() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM base; END",
                "CREATE OR REPLACE FUNCTION k_atomic() RETURNS bigint BEGIN ATOMIC SELECT count(*) + 1 FROM base; END",
                "DROP FUNCTION k_atomic",
            ],
            ["function", "k_atomic()", "body"],
        ),
    ),
    kind(
        &["pg_aggregate"],
        [
            "CREATE AGGREGATE k_aggregate(int) (SFUNC = int4pl, STYPE = int4)",
            "CREATE OR REPLACE AGGREGATE k_aggregate(int) (SFUNC = int4pl, STYPE = int4, INITCOND = '5')",
            "DROP AGGREGATE k_aggregate(int)",
        ],
        ["function", "k_aggregate(integer)", "agginitval"],
    ),
    kind(
        &["pg_type"],
        ["CREATE TYPE k_type AS (a int)", "ALTER TYPE k_type OWNER TO {role}", "DROP TYPE k_type"],
        ["type", "public.k_type", "owner"],
    ),
    kind(
        &["pg_type"],
        [
            "CREATE TYPE b;
                CREATE FUNCTION b_in(cstring) RETURNS b LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
                CREATE FUNCTION b_out(b) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
                CREATE TYPE b (INPUT = b_in, OUTPUT = b_out, LIKE = int4)",
            "ALTER TYPE b SET (TYPMOD_IN = varchartypmodin)",
            "DROP TYPE b CASCADE",
        ],
        ["type", "public.b", "typmodin"],
    ),
    kind(
        &["pg_enum"],
        ["CREATE TYPE k_enum AS ENUM ('a')", "ALTER TYPE k_enum ADD VALUE 'b'", "DROP TYPE k_enum"],
        ["enum", "k_enum", "labels"],
    ),
    kind(
        &["pg_range"],
        [
            "CREATE TYPE k_range AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi)",
            "DROP TYPE k_range; CREATE TYPE k_range AS RANGE (SUBTYPE = float8)",
            "DROP TYPE k_range",
        ],
        ["type", "public.k_range", "rngsubdiff"],
    ),
    kind(
        &["pg_cast"],
        [
            "CREATE CAST (little AS int) WITH FUNCTION as_int(little)",
            "DROP CAST (little AS int); CREATE CAST (little AS int) WITH FUNCTION as_int(little) AS IMPLICIT",
            "DROP CAST (little AS int)",
        ],
        ["cast", "(public.little AS integer)", "castcontext"],
    ),
    kind(
        &["pg_operator"],
        [
            "CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = same, RESTRICT = eqsel)",
            "ALTER OPERATOR === (int, int) SET (RESTRICT = NONE)",
            "DROP OPERATOR === (int, int)",
        ],
        ["operator", "public.===(integer,integer)", "oprrest"],
    ),
    kind(
        &["pg_opfamily"],
        [
            "CREATE OPERATOR FAMILY k_family USING btree",
            "ALTER OPERATOR FAMILY k_family USING btree OWNER TO {role}",
            "DROP OPERATOR FAMILY k_family USING btree",
        ],
        ["operator family", "public.k_family USING btree", "owner"],
    ),
    kind(
        &["pg_opclass"],
        [
            "CREATE OPERATOR CLASS k_class FOR TYPE int4 USING btree FAMILY fam AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int4, int4)",
            "ALTER OPERATOR CLASS k_class USING btree OWNER TO {role}",
            "DROP OPERATOR CLASS k_class USING btree",
        ],
        ["operator class", "public.k_class USING btree", "owner"],
    ),
    kind(
        &["pg_amop"],
        [
            "ALTER OPERATOR FAMILY fam USING btree ADD OPERATOR 1 < (int4, int8)",
            "ALTER OPERATOR FAMILY fam USING btree DROP OPERATOR 1 (int4, int8);
                ALTER OPERATOR FAMILY fam USING btree ADD OPERATOR 1 <= (int4, int8)",
            "ALTER OPERATOR FAMILY fam USING btree DROP OPERATOR 1 (int4, int8)",
        ],
        ["operator of access method", "operator 1 (integer, bigint) of public.fam USING btree", "amopopr"],
    ),
    kind(
        &["pg_amproc"],
        [
            "ALTER OPERATOR FAMILY fam USING btree ADD FUNCTION 1 (int4, int8) btint48cmp(int4, int8)",
            "ALTER OPERATOR FAMILY fam USING btree DROP FUNCTION 1 (int4, int8);
                CREATE FUNCTION k_cmp(int4, int8) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint48cmp';
                ALTER OPERATOR FAMILY fam USING btree ADD FUNCTION 1 (int4, int8) k_cmp(int4, int8)",
            "ALTER OPERATOR FAMILY fam USING btree DROP FUNCTION 1 (int4, int8); DROP FUNCTION k_cmp",
        ],
        ["function of access method", "function 1 (integer, bigint) of public.fam USING btree", "amproc"],
    ),
    kind(
        &["pg_am"],
        [
            "CREATE ACCESS METHOD k_method TYPE TABLE HANDLER heap_tableam_handler",
            "COMMENT ON ACCESS METHOD k_method IS 'a heap'",
            "DROP ACCESS METHOD k_method",
        ],
        ["access method", "k_method", "comment"],
    ),
    kind(
        &["pg_collation"],
        [
            "CREATE COLLATION k_collation (PROVIDER = libc, LOCALE = 'C')",
            "ALTER COLLATION k_collation OWNER TO {role}",
            "DROP COLLATION k_collation",
        ],
        ["collation", "public.k_collation", "owner"],
    ),
    kind(
        &["pg_conversion"],
        [
            "CREATE CONVERSION k_conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
            "ALTER CONVERSION k_conversion OWNER TO {role}",
            "DROP CONVERSION k_conversion",
        ],
        ["conversion", "public.k_conversion", "owner"],
    ),
    kind(
        &["pg_language"],
        [
            "CREATE TRUSTED LANGUAGE k_language HANDLER handling",
            "REVOKE USAGE ON LANGUAGE k_language FROM PUBLIC",
            "DROP LANGUAGE k_language",
        ],
        ["language", "k_language", "revoked"],
    ),
    kind(
        &["pg_transform"],
        [
            "CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal))",
            "CREATE OR REPLACE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal))",
            "DROP TRANSFORM FOR int LANGUAGE sql",
        ],
        ["transform", "for integer…", "trftosql"],
    ),
    kind(
        &["pg_ts_parser"],
        [
            "CREATE TEXT SEARCH PARSER k_parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)",
            "COMMENT ON TEXT SEARCH PARSER k_parser IS 'as the default one'",
            "DROP TEXT SEARCH PARSER k_parser",
        ],
        ["text search parser", "public.k_parser", "comment"],
    ),
    kind(
        &["pg_ts_template"],
        [
            "CREATE TEXT SEARCH TEMPLATE k_template (LEXIZE = dsimple_lexize)",
            "DROP TEXT SEARCH TEMPLATE k_template; CREATE TEXT SEARCH TEMPLATE k_template (LEXIZE = dsimple_lexize, INIT = dsimple_init)",
            "DROP TEXT SEARCH TEMPLATE k_template",
        ],
        ["text search template", "public.k_template", "tmplinit"],
    ),
    kind(
        &["pg_ts_dict"],
        [
            "CREATE TEXT SEARCH DICTIONARY k_dictionary (TEMPLATE = simple)",
            "ALTER TEXT SEARCH DICTIONARY k_dictionary (ACCEPT = false)",
            "DROP TEXT SEARCH DICTIONARY k_dictionary",
        ],
        ["text search dictionary", "public.k_dictionary", "dictinitoption"],
    ),
    kind(
        &["pg_ts_config", "pg_ts_config_map"],
        [
            "CREATE TEXT SEARCH CONFIGURATION k_words (PARSER = default)",
            "ALTER TEXT SEARCH CONFIGURATION k_words ADD MAPPING FOR word WITH english_stem, simple",
            "DROP TEXT SEARCH CONFIGURATION k_words",
        ],
        ["text search configuration", "public.k_words", "dictionaries"],
    ),
    kind(
        &["pg_foreign_data_wrapper"],
        [
            "CREATE FOREIGN DATA WRAPPER k_far",
            "ALTER FOREIGN DATA WRAPPER k_far OPTIONS (ADD a 'b')",
            "DROP FOREIGN DATA WRAPPER k_far",
        ],
        ["foreign-data wrapper", "k_far", "fdwoptions"],
    ),
    kind(
        &["pg_foreign_server"],
        [
            "CREATE SERVER k_server FOREIGN DATA WRAPPER far",
            "ALTER SERVER k_server VERSION '2'",
            "DROP SERVER k_server",
        ],
        ["server", "k_server", "srvversion"],
    ),
    kind(
        &["pg_user_mapping"],
        [
            "CREATE USER MAPPING FOR PUBLIC SERVER there OPTIONS (password 'geheim')",
            "ALTER USER MAPPING FOR PUBLIC SERVER there OPTIONS (SET password 'geheimer')",
            "DROP USER MAPPING FOR PUBLIC SERVER there",
        ],
        ["user mapping", "public on server there", "mark"],
    ),
    kind(
        &["pg_foreign_table"],
        [
            "CREATE FOREIGN TABLE k_foreign (a int) SERVER there",
            "ALTER FOREIGN TABLE k_foreign OPTIONS (ADD a 'b')",
            "DROP FOREIGN TABLE k_foreign",
        ],
        ["relation", "k_foreign", "ftoptions"],
    ),
    kind(
        &["pg_publication"],
        [
            "CREATE PUBLICATION k_publication",
            "ALTER PUBLICATION k_publication SET (publish = 'insert')",
            "DROP PUBLICATION k_publication",
        ],
        ["publication", "k_publication", "pubdelete"],
    ),
    since(
        15,
        kind(
            &["pg_publication_rel"],
            [
                "ALTER PUBLICATION everything ADD TABLE base (id, n) WHERE (id > 0)",
                "ALTER PUBLICATION everything SET TABLE base (id) WHERE (id > 0)",
                "ALTER PUBLICATION everything DROP TABLE base",
            ],
            ["publication relation", "public.base in publication everything", "prattrs"],
        ),
    ),
    since(
        15,
        kind(
            &["pg_publication_namespace"],
            [
                "CREATE PUBLICATION k_place FOR TABLES IN SCHEMA place",
                "ALTER PUBLICATION k_place ADD TABLES IN SCHEMA public",
                "DROP PUBLICATION k_place",
            ],
            ["publication namespace", "place in publication k_place", ""],
        ),
    ),
    kind(
        &["pg_subscription"],
        [
            "CREATE SUBSCRIPTION k_subscription CONNECTION 'host=far password=geheim' PUBLICATION p WITH (connect = false, slot_name = NONE)",
            "ALTER SUBSCRIPTION k_subscription CONNECTION 'host=far password=geheimer'",
            "DROP SUBSCRIPTION k_subscription",
        ],
        ["subscription", "k_subscription", "subconninfo"],
    ),
    kind(
        &["pg_event_trigger"],
        [
            "CREATE EVENT TRIGGER k_event ON sql_drop WHEN TAG IN ('DROP VIEW') EXECUTE FUNCTION noticing()",
            "ALTER EVENT TRIGGER k_event DISABLE",
            "DROP EVENT TRIGGER k_event",
        ],
        ["event trigger", "k_event", "evtenabled"],
    ),
    kind(
        &["pg_default_acl"],
        [
            "ALTER DEFAULT PRIVILEGES IN SCHEMA place GRANT SELECT ON TABLES TO {role}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA place GRANT INSERT ON TABLES TO {role}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA place REVOKE ALL ON TABLES FROM {role}",
        ],
        ["default acl", "for role terragnos in schema place on tables", "grants"],
    ),
    kind(
        &["pg_extension"],
        [
            "CREATE EXTENSION citext VERSION '1.5'",
            "ALTER EXTENSION citext UPDATE TO '1.6'",
            "DROP EXTENSION citext",
        ],
        ["extension", "citext", "version"],
    ),
    kind(
        &["pg_largeobject_metadata"],
        ["SELECT lo_create(7)", "SELECT lo_create(8)", "SELECT lo_unlink(7), lo_unlink(8)"],
        ["large objects", "of terragnos", "objects"],
    ),
    kind(
        &["pg_db_role_setting"],
        [
            "ALTER ROLE {role} IN DATABASE {db} SET work_mem = '8MB'",
            "ALTER ROLE {role} IN DATABASE {db} SET work_mem = '9MB'",
            "ALTER ROLE {role} IN DATABASE {db} RESET work_mem",
        ],
        ["setting", "work_mem for {role}", "value"],
    ),
    kind(
        &["pg_db_role_setting"],
        [
            "ALTER DATABASE {db} SET app.secret = 'geheim'",
            "ALTER DATABASE {db} SET app.secret = 'geheimer'",
            "ALTER DATABASE {db} RESET app.secret",
        ],
        ["setting", "app.secret", "value"],
    ),
    kind(
        &["pg_db_role_setting"],
        [
            "ALTER ROLE {role} SET search_path = place, public",
            "ALTER ROLE {role} SET search_path = place",
            "ALTER ROLE {role} RESET search_path",
        ],
        ["role setting", "search_path for {role}", "value"],
    ),
    kind(
        &["pg_authid", "pg_auth_members"],
        ["CREATE ROLE {other}", "GRANT {role} TO {other}", "DROP ROLE {other}"],
        ["role", "{other}", "member_of"],
    ),
    since(
        15,
        kind(
            &["pg_parameter_acl"],
            [
                "GRANT SET ON PARAMETER {role}.x TO {role}",
                "GRANT ALTER SYSTEM ON PARAMETER {role}.x TO {role}",
                "REVOKE ALL ON PARAMETER {role}.x FROM {role}",
            ],
            ["parameter ACL", "{role}.x", "grants"],
        ),
    ),
    since(
        15,
        kind(
            &["pg_tablespace"],
            [
                "SET allow_in_place_tablespaces = on; CREATE TABLESPACE {other} LOCATION ''",
                "ALTER TABLESPACE {other} SET (seq_page_cost = 3)",
                "DROP TABLESPACE {other}",
            ],
            ["tablespace", "{other}", "spcoptions"],
        ),
    ),
    kind(
        &["pg_init_privs"],
        [
            "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_postmaster_start_time() FROM PUBLIC",
            "GRANT EXECUTE ON FUNCTION pg_catalog.pg_postmaster_start_time() TO {role}",
            "GRANT EXECUTE ON FUNCTION pg_catalog.pg_postmaster_start_time() TO PUBLIC;
                REVOKE EXECUTE ON FUNCTION pg_catalog.pg_postmaster_start_time() FROM {role}",
        ],
        ["function", "pg_catalog.pg_postmaster_start_time()", "grants"],
    ),
];

/// What is changed of something that stays: nothing is made or dropped.
pub(crate) struct Twist {
    pub(crate) catalogs: &'static [&'static str],
    pub(crate) there: &'static str,
    pub(crate) back: &'static str,
    pub(crate) object: &'static str,
    pub(crate) name: &'static str,
    pub(crate) attribute: &'static str,
    pub(crate) since: i32,
}

const fn twist(
    catalogs: &'static [&'static str],
    [there, back]: [&'static str; 2],
    [object, name, attribute]: [&'static str; 3],
) -> Twist {
    Twist { catalogs, there, back, object, name, attribute, since: 13 }
}

pub(crate) const TWISTS: &[Twist] = &[
    twist(
        &["pg_description"],
        ["COMMENT ON COLUMN base.t IS 'told'", "COMMENT ON COLUMN base.t IS NULL"],
        ["column", "t", "comment"],
    ),
    twist(
        &["pg_description"],
        [
            "COMMENT ON FUNCTION pg_catalog.now() IS 'told'",
            "COMMENT ON FUNCTION pg_catalog.now() IS 'current transaction time'",
        ],
        ["comments", "of the system and of extensions", "digest"],
    ),
    twist(
        &["pg_shdescription"],
        ["COMMENT ON DATABASE {db} IS 'told'", "COMMENT ON DATABASE {db} IS NULL"],
        ["database", "", "comment"],
    ),
    twist(
        &["pg_seclabel"],
        [
            "INSERT INTO pg_seclabel VALUES ('base'::regclass, 'pg_class'::regclass, 0, '{role}', 'secret')",
            "DELETE FROM pg_seclabel WHERE provider = '{role}'",
        ],
        ["relation", "base", "security_labels"],
    ),
    twist(
        &["pg_index"],
        ["CREATE INDEX of_index ON of_extension (a)", "DROP INDEX of_index"],
        ["extension", "plpgsql", "tables"],
    ),
    twist(
        &["pg_depend"],
        ["ALTER EXTENSION plpgsql ADD SEQUENCE counter", "ALTER EXTENSION plpgsql DROP SEQUENCE counter"],
        ["extension", "plpgsql", "members"],
    ),
    twist(
        &["pg_shseclabel"],
        [
            "INSERT INTO pg_shseclabel SELECT oid, 'pg_database'::regclass, '{role}', 'secret' FROM pg_database WHERE datname = '{db}'",
            "DELETE FROM pg_shseclabel WHERE provider = '{role}'",
        ],
        ["database", "", "security_labels"],
    ),
    twist(
        &["pg_database"],
        ["ALTER DATABASE {db} CONNECTION LIMIT 50", "ALTER DATABASE {db} CONNECTION LIMIT -1"],
        ["database", "", "datconnlimit"],
    ),
    twist(
        &["pg_depend"],
        [
            "ALTER INDEX lowered DEPENDS ON EXTENSION plpgsql",
            "ALTER INDEX lowered NO DEPENDS ON EXTENSION plpgsql",
        ],
        ["index", "lowered", "goes_with"],
    ),
    twist(
        &["pg_attribute"],
        [
            "ALTER INDEX lowered ALTER COLUMN 1 SET STATISTICS 500",
            "ALTER INDEX lowered ALTER COLUMN 1 SET STATISTICS -1",
        ],
        ["index", "lowered", "statistics"],
    ),
    twist(
        &["pg_attribute"],
        [
            "ALTER TABLE base ALTER COLUMN n SET STATISTICS 500",
            "ALTER TABLE base ALTER COLUMN n SET STATISTICS -1",
        ],
        ["column", "n", "attstattarget"],
    ),
    twist(
        &["pg_attribute"],
        ["GRANT SELECT (u) ON base TO {role}", "REVOKE SELECT (u) ON base FROM {role}"],
        ["column", "u", "grants"],
    ),
    twist(
        &["pg_class"],
        [
            "ALTER TABLE base SET (toast.autovacuum_enabled = off)",
            "ALTER TABLE base RESET (toast.autovacuum_enabled)",
        ],
        ["relation", "base", "toast_options"],
    ),
    twist(
        &["pg_trigger"],
        ["ALTER TABLE child DISABLE TRIGGER ALL", "ALTER TABLE child ENABLE TRIGGER ALL"],
        ["constraint", "child_of", "triggers"],
    ),
    twist(
        &["pg_type"],
        ["REVOKE USAGE ON TYPE mood FROM PUBLIC", "GRANT USAGE ON TYPE mood TO PUBLIC"],
        ["enum", "mood", "revoked"],
    ),
    Twist {
        since: 18,
        ..twist(
            &["pg_constraint"],
            [
                "ALTER TABLE base ADD CONSTRAINT must NOT NULL u NOT VALID",
                "ALTER TABLE base ALTER u DROP NOT NULL",
            ],
            ["column", "u", "not_null_as"],
        )
    },
];
