'use strict';
// Breaking: earlier releases write no tenant, and the column has no default.

async function up(client) {
  await client.query('ALTER TABLE features ADD COLUMN tenant text');
  await client.query('UPDATE features SET tenant = $1', [process.env.TERRAGNOS_TENANT]);
  await client.query('ALTER TABLE features ALTER COLUMN tenant SET NOT NULL');
}

module.exports = { name: '0005_tenant', transaction: true, up };
