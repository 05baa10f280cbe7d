'use strict';
// Not as compatible as the release notes say: every release before 1.7 reads the column by its old name.

const up = (client) => client.query('ALTER TABLE features RENAME COLUMN category TO kind');

module.exports = { name: '0004_kind', transaction: true, up };
