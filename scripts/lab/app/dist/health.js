'use strict';
// Readiness: the database answers, this process is not on its way out, and the release is able to get ready at all.

const crypto = require('node:crypto');
const { release } = require('./release');

function sameToken(given, expected) {
  const digest = (text) => crypto.createHash('sha256').update(text).digest();
  return crypto.timingSafeEqual(digest(given), digest(expected));
}

async function check(state) {
  const checks = { database: { status: 'up' } };
  try {
    await state.health.query('SELECT 1');
  } catch (error) {
    checks.database = { status: 'down', error: error.message };
  }
  if (release.neverReady) checks.index = { status: 'down', error: 'search index is not loaded' };
  if (state.stopping) checks.process = { status: 'down', error: 'shutting down' };
  const up = Object.values(checks).every((each) => each.status === 'up');
  return { up, checks };
}

// Details are for those who have the token; a wrong token is refused rather than ignored.
async function ready(request, state) {
  const authorization = request.headers.authorization;
  const known = authorization !== undefined && state.token !== '';
  if (known && !sameToken(authorization, `Bearer ${state.token}`)) {
    return [401, { status: 'error', error: 'invalid token' }];
  }
  const { up, checks } = await check(state);
  const body = { status: up ? 'ok' : 'error' };
  if (known) Object.assign(body, { version: release.version, checks });
  return [up ? 200 : 503, body];
}

module.exports = { ready };
