'use strict';
// In order; a release ships the first so-many of them (release.js).

module.exports = [
  require('./0001_base'),
  require('./0002_region'),
  require('./0003_quality'),
  require('./0004_kind'),
  require('./0005_tenant'),
];
