'use strict';
// The API: listens after BOOT_MS, answers until told to stop, finishes the requests in hand.

const http = require('node:http');
const { Pool } = require('pg');
const { release, requireSettings } = require('./release');
const { route } = require('./routes');
const settings = require('./settings');
const { onSigterm } = require('./shutdown');
const { tidyUp } = require('./tidy');
const { misbehave } = require('./trouble');

// Longer than any balancer in front keeps a connection idle, so that it is never the server that closes first.
const KEEP_ALIVE_MS = 60_000;
const POOL_SIZE = 20;
// A new connection takes longer than a quick read.
const IDLE_MS = 60_000;
const HANG_UP_MS = 10;

function connect() {
  const pool = new Pool({ ...settings.database(), max: POOL_SIZE, idleTimeoutMillis: IDLE_MS, connectionTimeoutMillis: 3000 });
  // The health check has its own connection: a pool full of slow reads is busy, not ill.
  const health = new Pool({ ...settings.database(), max: 1, connectionTimeoutMillis: 2000, query_timeout: 2000 });
  for (const each of [pool, health]) {
    each.on('error', (error) => settings.complain('database', { err: { message: error.message } }));
  }
  return { pool, health };
}

// One connection after another: the database, which others use, has to clear up behind each.
async function hangUp(pool) {
  while (pool.idleCount > 0) {
    (await pool.connect()).release(true);
    await settings.sleep(HANG_UP_MS);
  }
}

function stop(server, state) {
  state.stopping = true;
  const drain = settings.number('DRAIN_MS', 0);
  setTimeout(() => {
    server.close(async () => {
      await hangUp(state.pool);
      await Promise.allSettled([state.pool.end(), state.health.end()]);
      settings.log('stopped');
      process.exit(0);
    });
    server.closeIdleConnections();
  }, drain);
}

async function main() {
  requireSettings();
  if (release.crashes) {
    throw new TypeError("Cannot read properties of undefined (reading 'layers')");
  }
  const state = { ...connect(), token: settings.secret('API_TOKEN'), stopping: false, requests: 0 };
  if (release.tidiesUp) await tidyUp(state.pool);
  const server = http.createServer((request, response) => route(request, response, state));
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = KEEP_ALIVE_MS + 5000;
  onSigterm(() => stop(server, state));
  await settings.sleep(settings.number('BOOT_MS', 1500));
  if (state.stopping) return;
  const port = settings.number('PORT', 3000);
  misbehave();
  server.listen(port, () => settings.log('listening', { port, version: release.version }));
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
