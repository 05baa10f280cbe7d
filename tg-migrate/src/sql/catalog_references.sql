-- What the columns of the system catalogs refer to, as the server itself knows it. Since PostgreSQL 14.
SELECT f.fktable::pg_catalog.oid, f.fkcols, f.pktable::pg_catalog.oid, f.is_array FROM pg_catalog.pg_get_catalog_foreign_keys() AS f
