'use strict';
// Long updates in short transactions: no lock is held for long, and a run that was cut off goes on where it ended.

const settings = require('../settings');

const BATCH_ROWS = 10_000;

// statement takes a first and a last id and may be repeated; until is the share of the ids to visit.
async function inBatches(client, table, statement, until = 1) {
  const { rows } = await client.query(`SELECT coalesce(max(id), 0)::float8 AS last FROM ${table}`);
  const last = Math.floor(rows[0].last * until);
  const pause = settings.number('MIGRATE_PAUSE_MS', 0);
  for (let first = 1; first <= last; first += BATCH_ROWS) {
    await client.query(statement, [first, Math.min(first + BATCH_ROWS - 1, last)]);
    if (pause > 0) await settings.sleep(pause);
  }
}

module.exports = { inBatches };
