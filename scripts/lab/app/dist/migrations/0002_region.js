'use strict';
// Additive: a nullable column, filled in batches, and an index built while the table stays in use.

const { inBatches } = require('./batches');

const FILL = `UPDATE features
SET region = CASE WHEN ST_Y(geom) >= 0 THEN 'n' ELSE 's' END || CASE WHEN ST_X(geom) >= 0 THEN 'e' ELSE 'w' END
WHERE id BETWEEN $1 AND $2 AND region IS NULL`;

// What a concurrent build that was cut off leaves behind is invalid, and IF NOT EXISTS would keep it.
const INVALID = `SELECT 1 FROM pg_catalog.pg_index
WHERE indexrelid = pg_catalog.to_regclass('features_region_idx') AND NOT indisvalid`;

async function up(client) {
  await client.query('ALTER TABLE features ADD COLUMN IF NOT EXISTS region text');
  await inBatches(client, 'features', FILL);
  const { rowCount } = await client.query(INVALID);
  if (rowCount > 0) await client.query('DROP INDEX CONCURRENTLY features_region_idx');
  await client.query('CREATE INDEX CONCURRENTLY IF NOT EXISTS features_region_idx ON features (region)');
}

module.exports = { name: '0002_region', transaction: false, up };
