'use strict';
// Reads that make an instance quick before it has users: connections to the database are made, code is compiled. Writes nothing.

const http = require('node:http');
const settings = require('../settings');

const CONNECTIONS = 10;
const ROUNDS = 25;
const AT_ONCE = 2;
// Who serves beside it needs the processors as well.
const PAUSE_MS = 20;
const PATHS = ['/v1/features?limit=10', '/v1/features/1'];

const agent = new http.Agent({ keepAlive: true });

function get(path) {
  const port = settings.number('PORT', 3000);
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent, timeout: 5000 }, (response) => {
      response.resume();
      response.on('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(`${path}: ${response.statusCode}`))));
    });
    request.on('timeout', () => request.destroy(new Error(`${path}: no answer`)));
    request.on('error', reject);
  });
}

// Each waits inside the database until all have been made, so that each takes a connection of its own; they come and go one by one.
async function connect() {
  const held = [];
  for (let made = 0; made < CONNECTIONS; made += 1) {
    held.push(get(`/v1/features?limit=1&ms=${CONNECTIONS * 2 * PAUSE_MS}`));
    await settings.sleep(2 * PAUSE_MS);
  }
  await Promise.all(held);
}

async function main() {
  await connect();
  for (let round = 0; round < ROUNDS; round += 1) {
    await Promise.all(Array.from({ length: AT_ONCE }, () => get(PATHS[round % PATHS.length])));
    await settings.sleep(PAUSE_MS);
  }
  agent.destroy();
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
