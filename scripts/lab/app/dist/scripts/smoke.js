'use strict';
// A user's round through the API of this very instance: reads, a write that is read again, a job. Exit 1 with the reason at the first thing
// that is not as it should be.

const crypto = require('node:crypto');
const http = require('node:http');
const settings = require('../settings');

const TIMEOUT_MS = 5000;

function ask(method, path, body) {
  const text = body === undefined ? '' : JSON.stringify(body);
  const options = {
    host: '127.0.0.1',
    port: settings.number('PORT', 3000),
    method,
    path,
    timeout: TIMEOUT_MS,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
  };
  return new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString('utf8') }));
    });
    request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer within ${TIMEOUT_MS} ms`)));
    request.on('error', reject);
    request.end(text);
  });
}

async function expect(status, method, path, body) {
  const answer = await ask(method, path, body);
  if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} instead of ${status}: ${answer.text}`);
  return JSON.parse(answer.text);
}

async function main() {
  const { features } = await expect(200, 'GET', '/v1/features?limit=3');
  if (features.length > 0) await expect(200, 'GET', `/v1/features/${features[0].id}`);
  const feature = { client_id: crypto.randomUUID(), name: 'smoke', lon: 1, lat: 2 };
  const made = await expect(201, 'POST', '/v1/features', feature);
  const read = await expect(200, 'GET', `/v1/features/${made.id}`);
  if (read.client_id !== feature.client_id) throw new Error(`feature ${made.id} is another one`);
  await expect(201, 'POST', '/v1/jobs', { client_id: crypto.randomUUID(), payload: { smoke: true } });
  process.stdout.write('a round of reads and writes: well\n');
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
