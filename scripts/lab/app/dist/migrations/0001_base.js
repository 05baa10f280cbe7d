'use strict';

const SQL = `
CREATE EXTENSION IF NOT EXISTS postgis;

CREATE TABLE features (
  id bigserial PRIMARY KEY,
  client_id uuid NOT NULL UNIQUE,
  name text NOT NULL,
  category text NOT NULL DEFAULT 'other',
  geom geometry(Point, 4326) NOT NULL,
  props jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX features_geom_idx ON features USING gist (geom);

CREATE TABLE jobs (
  id bigserial PRIMARY KEY,
  client_id uuid NOT NULL UNIQUE,
  payload jsonb NOT NULL DEFAULT '{}',
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done')),
  created_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
CREATE INDEX jobs_queued_idx ON jobs (id) WHERE state = 'queued';

CREATE TABLE job_results (
  job_id bigint PRIMARY KEY REFERENCES jobs (id),
  result jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
`;

module.exports = { name: '0001_base', transaction: true, up: (client) => client.query(SQL) };
