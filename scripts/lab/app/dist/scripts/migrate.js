'use strict';
// Applies the migrations that this release ships and the database has not seen. Safe to run again, also after a failure.

const { Client } = require('pg');
const { release, requireSettings } = require('../release');
const migrations = require('../migrations');
const settings = require('../settings');

// Any number that no other program takes: two migrators at once would step on each other.
const LOCK = 7_460_140;
const LOCK_POLL_MS = 250;
const HISTORY = `CREATE TABLE IF NOT EXISTS schema_migrations (
  name text PRIMARY KEY,
  applied_at timestamptz NOT NULL DEFAULT now()
)`;

const say = (text) => process.stdout.write(`${text}\n`);

async function connect() {
  const client = new Client({ ...settings.database(), connectionTimeoutMillis: 5000 });
  await client.connect();
  return client;
}

// Polled, on a session with no open transaction: a waiter in pg_advisory_lock would hold a snapshot, and
// CREATE INDEX CONCURRENTLY waits for every snapshot.
async function lock(client) {
  const deadline = Date.now() + settings.number('MIGRATE_LOCK_WAIT_MS', 60_000);
  for (let told = false; ; told = true) {
    const { rows } = await client.query('SELECT pg_try_advisory_lock($1) AS locked', [LOCK]);
    if (rows[0].locked) return;
    if (Date.now() > deadline) throw new Error('another migration is running');
    if (!told) say('waiting for another migration to finish');
    await settings.sleep(LOCK_POLL_MS);
  }
}

async function apply(client, migration) {
  const record = () => client.query('INSERT INTO schema_migrations (name) VALUES ($1)', [migration.name]);
  if (!migration.transaction) {
    await migration.up(client);
    await record();
    return;
  }
  await client.query('BEGIN');
  try {
    await migration.up(client);
    await record();
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

async function migrate(client) {
  await client.query(HISTORY);
  const { rows } = await client.query('SELECT name FROM schema_migrations');
  const known = new Set(rows.map((row) => row.name));
  let applied = 0;
  for (const migration of migrations.slice(0, release.schema)) {
    if (known.has(migration.name)) {
      say(`already applied ${migration.name}`);
      continue;
    }
    const started = Date.now();
    try {
      await apply(client, migration);
    } catch (error) {
      error.message = `migration ${migration.name} failed: ${error.message}`;
      throw error;
    }
    applied += 1;
    say(`applied ${migration.name} in ${Date.now() - started} ms`);
  }
  return applied;
}

async function main() {
  requireSettings();
  say(`terragnos-core ${release.version}: migrating`);
  const keeper = await connect();
  const client = await connect();
  client.on('notice', (notice) => notice.severity !== 'NOTICE' && say(notice.message));
  try {
    await lock(keeper);
    const applied = await migrate(client);
    say(applied === 0 ? 'nothing to do' : `done: ${applied} applied`);
  } finally {
    await Promise.allSettled([client.end(), keeper.end()]);
  }
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
