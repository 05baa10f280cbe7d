'use strict';
// Asks the database each statement of the old release, in a transaction that is rolled back. Exit 1 with the first that is refused.

const fs = require('node:fs');
const { Client } = require('pg');

async function main() {
  const client = new Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  for (const statement of fs.readFileSync('/app/old.sql', 'utf8').trim().split('\n')) {
    await client.query('BEGIN');
    try {
      await client.query(statement);
    } catch (error) {
      throw new Error(`${error.message} [${error.code}] in ${statement}`);
    } finally {
      await client.query('ROLLBACK');
    }
  }
  await client.end();
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
