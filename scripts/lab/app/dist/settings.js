'use strict';
// Settings from the environment; NAME_FILE stands for the contents of a file, as container secrets have it.

const fs = require('node:fs');

function secret(name) {
  const file = process.env[`${name}_FILE`];
  return file ? fs.readFileSync(file, 'utf8').trim() : process.env[name] || '';
}

function number(name, fallback) {
  const text = process.env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`${name} is not a number: ${text}`);
  return value;
}

// Without a URL, node-postgres reads PGHOST and its relatives; PGAPPNAME and PGOPTIONS it reads in any case.
function database() {
  const connectionString = secret('DATABASE_URL');
  return connectionString ? { connectionString } : {};
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Lines as pino writes them: 30 is info, 50 an error.
function write(level, msg, fields) {
  process.stdout.write(`${JSON.stringify({ level, time: Date.now(), msg, ...fields })}\n`);
}

const log = (msg, fields = {}) => write(30, msg, fields);
const complain = (msg, fields = {}) => write(50, msg, fields);

module.exports = { secret, number, database, sleep, log, complain };
