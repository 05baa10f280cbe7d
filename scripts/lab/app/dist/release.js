'use strict';
// Which release this is, and how it behaves. One source tree: only version.json differs from image to image.

const { version } = require('../version.json');

// schema: the last migration that the release ships, by number.
const RELEASES = {
  '1.4.0': { schema: 1 },
  '1.4.1': { schema: 1 },
  '1.5.0': { schema: 2 },
  '1.5.1': { schema: 2, neverReady: true },
  '1.5.2': { schema: 2, crashes: true },
  '1.5.3': { schema: 2, failPercent: 3 },
  '1.5.4': { schema: 2, slowdown: 3 },
  '1.5.5': { schema: 2, leaks: true },
  '1.5.6': { schema: 2, complains: true },
  '1.6.0': { schema: 3, brokenMigration: true },
  '1.7.0': { schema: 4 },
  '1.7.1': { schema: 1, tidiesUp: true },
  '2.0.0': { schema: 5, needs: ['TERRAGNOS_TENANT'] },
};

const release = {
  version,
  neverReady: false,
  crashes: false,
  failPercent: 0,
  slowdown: 1,
  leaks: false,
  complains: false,
  brokenMigration: false,
  tidiesUp: false,
  needs: [],
  ...RELEASES[version],
};

if (!release.schema) {
  throw new Error(`unknown version ${version}`);
}

// What the release's queries call things: 1.5 reads a new column, 1.7 knows an old one by a new name.
release.columns = ['id', 'client_id', 'name', release.schema >= 4 ? 'kind' : 'category'];
if (release.schema >= 2) release.columns.push('region');

function requireSettings() {
  const missing = release.needs.filter((name) => !process.env[name]);
  if (missing.length > 0) {
    process.stderr.write(`terragnos-core ${version}: missing required environment variable ${missing.join(', ')}\n`);
    process.exit(1);
  }
}

module.exports = { release, requireSettings };
