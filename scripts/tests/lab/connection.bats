#!/usr/bin/env bats
# Ways to the database: TLS that is verified, a published port, a password file.

bats_require_minimum_version 1.5.0
load helper

teardown() {
  "$LAB/psql" -qc 'alter system reset ssl' -c 'select pg_reload_conf()' >/dev/null
  docker exec tg-lab-db-1 sh -c 'rm -f "$PGDATA"/server.crt "$PGDATA"/server.key'
}

password() { cat "$TG_LAB_STACK/secrets/db_password"; }

# A certificate authority and the database's certificate for its address.
certify() {
  local dir=$BATS_TEST_TMPDIR address=$1
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tg-test -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=stranger -keyout "$dir/other.key" -out "$dir/other.pem" 2>/dev/null
  openssl req -newkey rsa:2048 -nodes -subj /CN=db -keyout "$dir/server.key" -out "$dir/server.csr" 2>/dev/null
  openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 2 \
    -extfile <(echo "subjectAltName=IP:$address") -out "$dir/server.crt" 2>/dev/null
  docker cp -q "$dir/server.crt" tg-lab-db-1:/tmp/server.crt
  docker cp -q "$dir/server.key" tg-lab-db-1:/tmp/server.key
  docker exec tg-lab-db-1 sh -c 'for f in crt key; do install -o postgres -m 600 /tmp/server.$f "$PGDATA/server.$f"; rm /tmp/server.$f; done'
  "$LAB/psql" -qc 'alter system set ssl = on' -c 'select pg_reload_conf()' >/dev/null
  sleep 0.5
}

# Usage: url HOST QUERY
url() {
  echo "postgres://terragnos:$(password)@$1:5432/terragnos$2" >"$BATS_TEST_TMPDIR/url"
  export TG_DATABASE_URL_FILE=$BATS_TEST_TMPDIR/url
}

@test "TLS is verified: the right authority lets in, a stranger's, none or another name do not" {
  address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' tg-lab-db-1)
  certify "$address"
  url "$address" "?sslmode=verify-full&sslrootcert=$BATS_TEST_TMPDIR/ca.pem"
  gives 0 tg-vacuum report
  url "$address" "?sslmode=verify-full&sslrootcert=$BATS_TEST_TMPDIR/other.pem"
  gives 10 tg-vacuum report
  hint_given
  url "$address" "?sslmode=require&sslrootcert=$BATS_TEST_TMPDIR/other.pem"
  gives 10 tg-vacuum report
  url "$address" "?sslmode=verify-full&sslrootcert=/nonexistent.pem"
  gives 10 tg-vacuum report
  [[ $stderr == *nonexistent.pem* ]]
}

@test "without a word about TLS a server that has it is talked to by it, and require asks for no proof" {
  address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' tg-lab-db-1)
  certify "$address"
  url "$address" ""
  gives 0 tg-vacuum report
  url "$address" "?sslmode=require"
  gives 0 tg-vacuum report
}

@test "a server without TLS is not talked to plainly when the URL asks for TLS" {
  address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' tg-lab-db-1)
  url "$address" "?sslmode=require"
  gives 10 tg-vacuum report
}

@test "a password comes from a password file where the URL has none" {
  address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' tg-lab-db-1)
  echo "postgres://terragnos@$address:5432/terragnos" >"$BATS_TEST_TMPDIR/url"
  (umask 077 && echo "$address:5432:*:terragnos:$(password)" >"$BATS_TEST_TMPDIR/pgpass")
  export TG_DATABASE_URL_FILE=$BATS_TEST_TMPDIR/url
  PGPASSFILE=$BATS_TEST_TMPDIR/pgpass gives 0 tg-vacuum report
  PGPASSFILE=/nonexistent gives 10 tg-vacuum report
}
