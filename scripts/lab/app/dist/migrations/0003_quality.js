'use strict';
// As 1.6.0 ships it, it stops half-way: a column is there, half of the rows are changed, and a statement does not exist.
// Later releases ship it repaired.

const { release } = require('../release');
const { inBatches } = require('./batches');

const RATE = `UPDATE features
SET quality = length(name) % 5, props = props || '{"rated": true}'
WHERE id BETWEEN $1 AND $2 AND quality IS NULL`;

async function up(client) {
  await client.query('ALTER TABLE features ADD COLUMN IF NOT EXISTS quality smallint');
  await inBatches(client, 'features', RATE, release.brokenMigration ? 0.5 : 1);
  if (release.brokenMigration) await client.query('UPDATE features SET qualty = 0 WHERE qualty IS NULL');
}

module.exports = { name: '0003_quality', transaction: false, up };
