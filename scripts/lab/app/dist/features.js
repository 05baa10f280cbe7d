'use strict';
// What the API does with features and jobs: plain SQL, in the words of the release's own schema.

const { release } = require('./release');

class BadRequest extends Error {}

const COLUMNS = `${release.columns.join(', ')}, ST_X(geom) AS lon, ST_Y(geom) AS lat`;
const MAX_LIMIT = 1000;
const MAX_SLEEP_MS = 60_000;

function integer(text, fallback, max) {
  if (text === null) return fallback;
  if (!/^\d{1,9}$/.test(text)) throw new BadRequest(`not a number: ${text}`);
  return Math.min(Number(text), max);
}

// A slow read sleeps in the database, so that it holds what a slow query holds.
async function slowDown(pool, query) {
  const ms = integer(query.get('ms'), 0, MAX_SLEEP_MS);
  if (ms > 0) await pool.query('SELECT pg_sleep($1)', [ms / 1000]);
}

async function list({ pool, query }) {
  const limit = integer(query.get('limit'), 10, MAX_LIMIT);
  await slowDown(pool, query);
  const { rows } = await pool.query(`SELECT ${COLUMNS} FROM features ORDER BY id LIMIT $1`, [limit]);
  return [200, { features: rows }];
}

async function one({ pool, query, id }) {
  const number = integer(id, 0, 1e9);
  await slowDown(pool, query);
  const { rows } = await pool.query(`SELECT ${COLUMNS} FROM features WHERE id = $1`, [number]);
  return rows.length > 0 ? [200, rows[0]] : [404, { status: 'error', error: 'not found' }];
}

function region(lon, lat) {
  return (lat >= 0 ? 'n' : 's') + (lon >= 0 ? 'e' : 'w');
}

function checkFeature(body) {
  const { client_id: clientId, name, lon, lat } = body ?? {};
  if (typeof clientId !== 'string' || typeof name !== 'string') throw new BadRequest('client_id and name are needed');
  if (!Number.isFinite(lon) || !Number.isFinite(lat)) throw new BadRequest('lon and lat are needed');
  return { clientId, name, lon, lat };
}

// One statement is one transaction: the answer leaves after its commit. The same id twice is the caller's to sort out.
async function create({ pool, body }) {
  const { clientId, name, lon, lat } = checkFeature(body);
  const columns = ['client_id', 'name', 'geom'];
  const values = ['$1', '$2', 'ST_SetSRID(ST_MakePoint($3, $4), 4326)'];
  const parameters = [clientId, name, lon, lat];
  const add = (column, value) => {
    columns.push(column);
    parameters.push(value);
    values.push(`$${parameters.length}`);
  };
  if (release.schema >= 2) add('region', region(lon, lat));
  if (release.schema >= 5) add('tenant', process.env.TERRAGNOS_TENANT);
  const sql = `INSERT INTO features (${columns.join(', ')}) VALUES (${values.join(', ')}) RETURNING id, client_id`;
  const { rows } = await pool.query(sql, parameters);
  return [201, rows[0]];
}

async function enqueue({ pool, body }) {
  const { client_id: clientId, payload = {} } = body ?? {};
  if (typeof clientId !== 'string') throw new BadRequest('client_id is needed');
  const sql = 'INSERT INTO jobs (client_id, payload) VALUES ($1, $2) RETURNING id, client_id';
  const { rows } = await pool.query(sql, [clientId, JSON.stringify(payload)]);
  return [201, rows[0]];
}

module.exports = { list, one, create, enqueue, BadRequest };
