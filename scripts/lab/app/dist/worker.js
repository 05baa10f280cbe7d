'use strict';
// The worker: takes one job at a time, writes its result and marks it done in one transaction.

const { Client } = require('pg');
const { release, requireSettings } = require('./release');
const settings = require('./settings');
const { onSigterm } = require('./shutdown');

const IDLE_MS = 200;
const RECONNECT_MS = 1000;

// SKIP LOCKED lets workers of two releases share the table: none waits for another's job, none takes it twice.
const TAKE = "SELECT id, payload FROM jobs WHERE state = 'queued' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1";
const WRITE = 'INSERT INTO job_results (job_id, result) VALUES ($1, $2)';
const FINISH = "UPDATE jobs SET state = 'done', finished_at = now() WHERE id = $1";

// True when there was a job. A worker that dies in the middle leaves the job queued.
async function workOnce(client, jobMs) {
  await client.query('BEGIN');
  const { rows } = await client.query(TAKE);
  if (rows.length === 0) {
    await client.query('COMMIT');
    return false;
  }
  const [job] = rows;
  settings.log('job taken', { job: job.id, version: release.version });
  await settings.sleep(jobMs);
  await client.query(WRITE, [job.id, JSON.stringify({ echo: job.payload, by: release.version })]);
  await client.query(FINISH, [job.id]);
  await client.query('COMMIT');
  settings.log('job done', { job: job.id, version: release.version });
  return true;
}

async function workWhileConnected(state, jobMs) {
  const client = new Client({ ...settings.database(), connectionTimeoutMillis: 3000 });
  client.on('error', (error) => settings.complain('database', { err: { message: error.message } }));
  try {
    await client.connect();
    while (!state.stopping) {
      if (!(await workOnce(client, jobMs)) && !state.stopping) await settings.sleep(IDLE_MS);
    }
  } finally {
    await client.end().catch(() => {});
  }
}

async function main() {
  requireSettings();
  if (release.crashes) {
    throw new TypeError("Cannot read properties of undefined (reading 'queue')");
  }
  const state = { stopping: false };
  const jobMs = settings.number('JOB_MS', 100);
  onSigterm(() => {
    state.stopping = true;
  });
  await settings.sleep(settings.number('BOOT_MS', 1500));
  settings.log('working', { version: release.version });
  while (!state.stopping) {
    try {
      await workWhileConnected(state, jobMs);
    } catch (error) {
      settings.complain('database', { err: { message: error.message } });
      await settings.sleep(RECONNECT_MS);
    }
  }
  settings.log('stopped');
  process.exit(0);
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
