'use strict';
// Is well as long as it lives; what it would do stands in smoke.js. A case may say that the old release does not start where something is
// there ("-- old-stops-if: SQL"), and that the new one migrates by merely starting ("-- new-starts-with: PROGRAM").

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const { Client } = require('pg');

function says(key) {
  const file = `/app/cases/${process.env.CASE}.sql`;
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  return new RegExp(`^-- ${key}: (.*)$`, 'm').exec(text)?.[1];
}

async function isTrue(condition) {
  const client = new Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  const { rows } = await client.query(`SELECT (${condition}) AS holds`);
  await client.end();
  return rows[0].holds;
}

async function main() {
  const isNew = process.env.RELEASE === '2';
  const [stopsIf, startsWith] = [says('old-stops-if'), says('new-starts-with')];
  if (!isNew && stopsIf && (await isTrue(stopsIf))) throw new Error('the schema is not one that this release knows');
  if (isNew && startsWith) execFileSync(startsWith, { stdio: 'inherit' });
  http
    .createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end('{"status":"ok"}');
    })
    .listen(3000);
}

process.on('SIGTERM', () => process.exit(0));
main().catch((error) => {
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(1);
});
