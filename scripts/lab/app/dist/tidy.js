'use strict';
// A migration that no one-shot runs: the API itself deletes rows when it starts, each statement for good, and then fails.

const HISTORY = 'CREATE TABLE IF NOT EXISTS knex_migrations (id serial PRIMARY KEY, name varchar(255), batch int, migration_time timestamptz)';

async function tidyUp(pool) {
  await pool.query(HISTORY);
  await pool.query('DELETE FROM features WHERE id % 2 = 0');
  await pool.query("INSERT INTO knex_migrations (name, batch, migration_time) VALUES ('0006_tidy', 1, now())");
  await pool.query('REFRESH MATERIALIZED VIEW features_by_region');
}

module.exports = { tidyUp };
