'use strict';
// Reads that make an instance quick before it has users: connections to the database are made, code is compiled. Writes nothing.

const http = require('node:http');
const settings = require('../settings');

const AT_ONCE = 8;
const ROUNDS = 20;
// Who serves beside it needs the processor as well.
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

async function main() {
  for (let round = 0; round < ROUNDS; round += 1) {
    const path = PATHS[round % PATHS.length];
    // One connection more in each round: to make many at once is work for the database.
    const length = Math.min(round + 1, AT_ONCE);
    await Promise.all(Array.from({ length }, () => get(path)));
    await settings.sleep(PAUSE_MS);
  }
  agent.destroy();
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
